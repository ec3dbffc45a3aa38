"""Writes the reference parts of the documentation from the tables in the code.

    python docs/reference.py

`instructions.md` is made as a whole; the table of codes is put between its two marker lines in `errors.md`, the counts
of the last long runs in `security.md`, generated steps and Wasm into their blocks in `crossing.md`, the grammar of
descriptions into its block in `idl.md`. `graph.svg` is the picture of the curl service. A test compares all of it with
what this file gives. Everything else is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from marine_gen.artifact import compile_service, read_target
from marine_gen.artifact.fuse import fuse
from marine_gen.diagnostics import codes
from marine_gen.graph import build_graph, render_svg
from marine_gen.interfaces import INSTRUCTIONS, Immediate, InstructionKind, Operator
from marine_gen.interfaces.instructions import Effect, Slot
from marine_gen.parsing.grammar import grammar_text
from marine_gen.passes import print_fused
from marine_runtime import ServiceConfig

DOCS = Path(__file__).parent
INSTRUCTIONS_PAGE = DOCS / "instructions.md"
ERRORS_PAGE = DOCS / "errors.md"
CROSSING_PAGE = DOCS / "crossing.md"
IDL_PAGE = DOCS / "idl.md"
GRAPH_PICTURE = DOCS / "graph.svg"
EXAMPLE = DOCS.parent / "examples" / "curl_service"
SECURITY_PAGE = DOCS / "security.md"
LAST_RUNS = {name: DOCS.parent / "tests" / name / "last_run.json" for name in ("security", "fuzz")}

BEGIN, END = "<!-- codes: made by docs/reference.py -->\n", "<!-- end of codes -->\n"
BEGIN_COUNTS, END_COUNTS = "<!-- counts: made by docs/reference.py -->\n", "<!-- end of counts -->\n"

_HEAD = """\
# Instructions of adapters

<!-- Made by docs/reference.py from marine_gen/interfaces/instructions.py; do not edit. -->

An adapter is a list of instructions over a stack of typed values. It starts with an empty stack; its parameters are
reached with `arg.get`; when it ends, the stack holds exactly its results. Types are checked before anything runs
(codes MG401 to MG506 in [errors.md](errors.md)).

In the tables, the stack grows to the right: `i32 string → i32 i32` pops a string from the top and an i32 below it, and
pushes two i32. `a` and `b` are any type, `t` is the type that belongs to the immediate, `·` is nothing. The layout of
values in memory is in [architecture.md](architecture.md#values-in-memory), the text form of adapters in
[the grammar's page](../grammar/README.md).
"""

_INTROS = {
    "Stack and calls": """\
`call-core N` counts the exports of the interface section first, then its implemented imports. An export is called with
its real Wasm types. An import is a function of another module, called with interface values through that module's
export adapter.
""",
    "Memory": """\
Pointers and lengths are i32 on the stack and unsigned in meaning; every range is checked against the size of the
memory. Lifting copies. `string.lower_memory` and `byte_array.lower_memory` write to a block that the adapter has
allocated; `array.lower_memory` and `record.lower_memory` allocate themselves, through call-core 0.
""",
    "Conversions": """\
An integer that does not fit the result type is an error of the call, except between an unsigned type and the core type
of the same width, where the bits are kept. Floats need no conversion.
""",
}

_COLUMNS = "| instruction | opcode | kind | immediate | stack | meaning |\n| --- | --- | --- | --- | --- | --- |\n"

_SLOTS = {
    Slot.ARGUMENT: "t",
    Slot.PARAMS: "parameters…",
    Slot.RESULTS: "results…",
    Slot.ANY_A: "a",
    Slot.ANY_B: "b",
    Slot.BYTES: "byte_array",
    Slot.ARRAY: "array(t)",
    Slot.RECORD: "record",
}


def instructions_page() -> str:
    """The whole of `instructions.md`."""
    groups: dict[str, list[Operator]] = {title: [] for title in _INTROS}
    for operator in INSTRUCTIONS:
        groups[_group(operator)].append(operator)
    parts = [_HEAD]
    for title, operators in groups.items():
        rows = "".join(map(_row, operators))
        parts.append(f"## {title}\n\n{_INTROS[title]}\n{_COLUMNS}{rows}")
    return "\n".join(parts)


def _group(operator: Operator) -> str:
    if operator.kind is InstructionKind.CONVERT:
        return "Conversions"
    return "Stack and calls" if operator.moves is None else "Memory"


def _row(operator: Operator) -> str:
    immediate = "" if operator.immediate is Immediate.NONE else operator.immediate.value
    effect = f"{_effect(operator.pops)} → {_effect(operator.pushes)}"
    head = f"| `{operator.mnemonic}` | 0x{operator.opcode:02x} | {operator.kind.value}"
    return f"{head} | {immediate} | {effect} | {operator.doc} |\n"


def _effect(effect: Effect) -> str:
    return " ".join(_SLOTS[slot] if isinstance(slot, Slot) else _type(str(slot)) for slot in effect) or "·"


def _type(text: str) -> str:
    return "byte_array" if text == "array (u8)" else text


def codes_table() -> str:
    """The table of diagnostic codes; stages and meanings are the comments in `marine_gen/diagnostics/codes.py`."""
    source = Path(codes.__file__).read_text(encoding="utf-8")
    return "| code | name | meaning |\n| --- | --- | --- |\n" + "".join(_code_rows(source.splitlines()))


def _code_rows(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        if stage := re.fullmatch(r"    # (\dxx): (.+)", line):
            yield f"| **{stage[1]}** | | **{stage[2]}** |\n"
        elif code := re.fullmatch(r'    (\w+) = "(MG\d+)"  # (.+)', line):
            yield f"| {code[2]} | `{code[1]}` | {code[3]} |\n"


def errors_page(current: str) -> str:
    """`current`, the text of `errors.md`, with its table of codes made from the code."""
    return _replaced(current, BEGIN, codes_table(), END)


def security_page(current: str) -> str:
    """`current`, the text of `security.md`, with the counts of the last long runs."""
    return _replaced(current, BEGIN_COUNTS, counts_table(), END_COUNTS)


def _replaced(current: str, begin: str, made: str, end: str) -> str:
    """`current` with `made` between two marker lines."""
    before, _, rest = current.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{made}\n{end}{after}"


def counts_table() -> str:
    """Figures of the last long runs; a run that was not written down has no row."""
    security, fuzz = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {} for path in LAST_RUNS.values()
    )
    rows = []
    if found := security.get("hostile"):
        rows.append(
            ("hostile cases", found["cases"], f"{found['calls']:,} calls on {found['configurations']} configurations")
        )
        rows.append(("… that crashed, hung or wrote astray", found["crashes"], ""))
        rows.append(("… latest end of a call after its time was up", f"{found['latest_milliseconds']} ms", ""))
        rows.append(("… most host memory that a case took", f"{found['most_memory_mib']} MiB", ""))
    if found := security.get("mutants"):
        rows.append(("checks removed", found["mutants"], f"{found['killed']} noticed by a test"))
    if fuzz:
        rows.append(("fuzz executions", fuzz["executions"], f"{len(fuzz['targets'])} targets"))
        rows.append(("differential cases", fuzz["cases"], "on all engines and call layers"))
        rows.append(("… findings left", fuzz["findings"], ""))
    lines = [
        f"| {title} | {number:,} | {note} |\n" if isinstance(number, int) else f"| {title} | {number} | {note} |\n"
        for title, number, note in rows
    ]
    return "| what | number | |\n| --- | ---: | --- |\n" + "".join(lines)


def crossing_page(current: str) -> str:
    """`current`, the text of `crossing.md`, with the generated steps and Wasm of its example."""
    facade = fuse(compile_service(read_target(EXAMPLE / "Config.toml")))[-1]
    assert facade is not None
    start = facade.code.glue.index("  ;; import curl.download")
    blocks = {
        "text": print_fused(facade.module.imports["curl", "download"]),
        "wat": _without_lifted(facade.code.glue[start : facade.code.glue.index("\n\n", start)]),
    }
    for kind, block in blocks.items():
        before, _, rest = current.partition(f"```{kind}\n")
        _, _, after = rest.partition("```\n")
        current = f"{before}```{kind}\n{block}```\n{after}"
    return current


def _without_lifted(function: str) -> str:
    """The text of a function without the code of guests that it has in place of calls: one instruction in each line."""
    lines: list[str] = []
    for line in function.splitlines():
        code = line.lstrip()
        if code[:1] in ("(", ")", ";"):
            lines.append(line)
        elif not lines[-1].endswith("…"):
            lines.append(line.replace(code, "…"))
    return "\n".join(lines) + "\n"


def idl_page(current: str) -> str:
    """`current`, the text of `idl.md`, with the rules of the grammar as they are; terminals are left out."""
    _, _, grammar = grammar_text("marine_gen.idl", "interface.lark").partition("\n\n")  # behind its first comment
    rules, _, _ = grammar.partition("\n\nNAME: ")
    before, _, rest = current.partition("```lark\n")
    _, _, after = rest.partition("```\n")
    return f"{before}```lark\n{rules}\n```\n{after}"


def graph_picture() -> str:
    """The picture of the curl service, as `marine-gen graph` draws it."""
    source = read_target(EXAMPLE / "Config.toml")
    config = ServiceConfig.from_json(source.options)
    return render_svg(build_graph(source.name, compile_service(source), config, "fused", folder=EXAMPLE))


if __name__ == "__main__":
    IDL_PAGE.write_text(idl_page(IDL_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    GRAPH_PICTURE.write_text(graph_picture(), encoding="utf-8")
    INSTRUCTIONS_PAGE.write_text(instructions_page(), encoding="utf-8")
    CROSSING_PAGE.write_text(crossing_page(CROSSING_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SECURITY_PAGE.write_text(security_page(SECURITY_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    ERRORS_PAGE.write_text(errors_page(ERRORS_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
