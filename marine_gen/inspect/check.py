"""Checking inputs from end to end: every finding of every stage that can still say something.

Loading stops at the first stage that fails; here the stages behind it look at what they can. Nothing is instantiated.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from marine_gen.artifact import compile_module
from marine_gen.artifact.compile import Fusible
from marine_gen.artifact.fuse import fusions
from marine_gen.artifact.machine_code import refused
from marine_gen.binary import extract
from marine_gen.console.inputs import Input, InputKind, interfaces_of, look_at, read_inputs
from marine_gen.diagnostics import Diagnostic, DiagnosticError
from marine_gen.ir import ModuleIR, build_module, verify_module
from marine_gen.links import check_links, check_outside
from marine_gen.wasm import Signatures, read_sdk_version, read_signatures, scanned
from marine_gen.wasm.lifting import Lifted
from marine_runtime import ConfigError, LoadError, MarineError, ModuleInterface, read_config
from marine_runtime.abi import ModulePlan
from marine_runtime.artifact import read_manifest
from marine_runtime.host import check_programs
from marine_runtime.texts import os_reason
from marine_runtime.wasm import RefusedModuleError, open_runtime

_T = TypeVar("_T")

Finding = Diagnostic | MarineError
"""Something wrong; errors without a code are about files and configurations."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One module without findings.

    Attributes:
        functions: listing lines of its functions.
        imports: its imports from other modules, in the same form.
        host_imports: `namespace.name` of what it needs from the host; not known for an adapter text.
        plan: for the check of links; None for an adapter text.
        lifted: as `Fusible.lifted`.
    """

    ir: ModuleIR
    functions: tuple[str, ...]
    imports: tuple[str, ...]
    host_imports: tuple[str, ...] = ()
    plan: ModulePlan | None = None
    lifted: Mapping[str, Lifted] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its import name."""
        return self.ir.name


@dataclass(slots=True)
class Report:
    """The findings in one file or directory."""

    path: Path
    kind: InputKind | None = None
    modules: list[Checked] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.findings

    @property
    def _fusible(self) -> list[Fusible]:
        return [Fusible(module.ir, lifted=module.lifted) for module in self.modules]

    def closures(self) -> list[str]:
        """Sentences about adapters that are too large for the fused engine, so that they run as closures."""
        found = fusions(self._fusible) if self.ok else []
        return [
            f"module `{module.name}`: {sentence}"
            for module, item in zip(self.modules, found, strict=False)
            for sentence in item.sentences
        ]

    def unfused(self) -> dict[str, list[str]]:
        """By module of a whole service: the adapters that stay closures in the fused engine, with the reason."""
        if self.kind not in (InputKind.CONFIG, InputKind.DIRECTORY):
            return {}
        found = fusions(self._fusible)
        return {
            module.name: [f"{key}: {why}" for key, why in item.unfused.items()]
            for module, item in zip(self.modules, found, strict=True)
        }

    def to_json(self) -> dict[str, Any]:
        """The report for `--json`."""
        file = os.fsencode(self.path).decode("utf-8", "backslashreplace")
        return {
            "file": file,
            "ok": self.ok,
            "closures": self.closures(),
            "modules": [
                {
                    "name": module.name,
                    "functions": list(module.functions),
                    "imports": list(module.imports),
                    "host_imports": list(module.host_imports),
                }
                for module in self.modules
            ],
            "findings": [
                item.to_json() if isinstance(item, Diagnostic) else {"code": None, "message": str(item), "source": file}
                for item in self.findings
            ],
        }


def examine(paths: Sequence[Path], functions: Collection[str | tuple[str, str]] = ()) -> list[Report]:
    """Check every path by itself, and the links between the Wasm files among them, in the given order.

    `functions` are those of the host that a service will have; they stand in for mounted programs.
    """
    reports = [_examine_path(path, functions) for path in paths]
    files = [report for report in reports if report.kind is InputKind.WASM]
    if len(files) > 1 and all(report.ok for report in files):
        by_name = {module.name: report for report in files for module in report.modules}
        for finding in _links([module for report in files for module in report.modules]):
            report = by_name[finding.source]
            report.findings.append(replace(finding, source=str(report.path)))
    return reports


def compile_input(item: Input, *, strict: bool = True) -> Fusible:
    """The IR of one module, with the digest of its source; `strict` is as for `compile_module`.

    Raises:
        DiagnosticError: with the first stage's findings, under the source's name.
    """
    try:
        if isinstance(item.content, bytes):
            return compile_module(item.name, item.content, strict=strict).fusible
        ir = build_module(item.name, interfaces_of(item), None, strict=strict)
        verify_module(ir)
        return Fusible(ir, hashlib.sha256(item.content.encode()).hexdigest())
    except DiagnosticError as error:
        raise DiagnosticError(_relabel(error.diagnostics, item)) from None


def _examine_path(path: Path, functions: Collection[str | tuple[str, str]]) -> Report:
    report = Report(path)
    try:
        seen = look_at(path)
        report.kind = seen[0]
        inputs = read_inputs(path, seen)
        if report.kind is InputKind.DIRECTORY:
            report.findings += _changed_files(path)
            check_programs(read_manifest(path).config, functions)
        elif report.kind is InputKind.CONFIG:
            check_programs(read_config(path).config, functions)
    except DiagnosticError as error:
        report.findings += error.diagnostics
        return report
    except ConfigError as error:
        report.findings += map(ConfigError, error.findings)
        return report
    except MarineError as error:
        report.findings.append(error)
        return report
    for item in inputs:
        checked, findings = _examine_wasm(item) if isinstance(item.content, bytes) else _examine_text(item)
        report.findings += findings
        if checked is not None:
            report.modules.append(checked)
    if report.ok and report.kind in (InputKind.CONFIG, InputKind.DIRECTORY):
        sources = {item.name: item.source for item in inputs}
        report.findings += [
            replace(finding, source=sources.get(finding.source, str(path))) for finding in _links(report.modules)
        ]
    return report


def _examine_text(item: Input) -> tuple[Checked | None, list[Diagnostic]]:
    try:
        ir = compile_input(item).ir
    except DiagnosticError as error:
        return None, list(error.diagnostics)
    return _checked(ir), []


def _examine_wasm(item: Input) -> tuple[Checked | None, list[Diagnostic]]:
    wasm = item.content
    assert isinstance(wasm, bytes)
    findings: list[Diagnostic] = []

    def attempt(stage: Callable[[], _T]) -> _T | None:
        try:
            return stage()
        except DiagnosticError as error:
            findings.extend(_relabel(error.diagnostics, item))
        return None

    binary = attempt(lambda: scanned(wasm))
    if binary is None:
        return None, findings
    interfaces = attempt(lambda: extract(binary))
    attempt(lambda: read_sdk_version(binary))
    signatures = attempt(lambda: read_signatures(binary))
    compiled = None if findings else attempt(lambda: compile_module(item.name, binary))
    if compiled is None and interfaces is not None and signatures is not None:
        attempt(lambda: build_module(item.name, interfaces, signatures))
    if signatures is not None:
        adapted = {(entry.namespace, entry.name) for entry in interfaces.imports} if interfaces else set()
        findings += _relabel(check_outside(item.name, signatures, adapted), item)
        try:
            open_runtime().compile(wasm)
        except RefusedModuleError as error:
            findings += refused(error, item.source).diagnostics
    if findings or compiled is None:
        return None, list(dict.fromkeys(findings))
    return replace(_checked(compiled.ir, signatures, compiled.plan), lifted=compiled.lifted), []


def _checked(ir: ModuleIR, signatures: Signatures | None = None, plan: ModulePlan | None = None) -> Checked:
    listing = ModuleInterface({name: adapter.signature for name, adapter in ir.exports.items()}, ir.records)
    wanted = ModuleInterface({callee.name: callee.type for callee in ir.callees}, ir.records)
    outside = [(item.namespace, item.name) for item in signatures.imports] if signatures else []
    return Checked(
        ir,
        tuple(map(listing.signature, listing.functions)),
        tuple(map(wanted.signature, wanted.functions)),
        tuple(f"{namespace}.{name}" for namespace, name in outside if (namespace, name) not in ir.imports),
        plan,
    )


def _links(modules: Iterable[Checked]) -> list[Diagnostic]:
    return check_links([module.plan for module in modules if module.plan is not None])


def _changed_files(directory: Path) -> list[MarineError]:
    """Files of a build that are missing or not what was built; the Wasm files were looked at when they were read."""
    findings: list[MarineError] = []
    for entry in read_manifest(directory).modules:
        for kind, item in entry.files.items():
            path = directory / item.name
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                findings.append(LoadError(f"`{path}` can't be read: {os_reason(error)}"))
                continue
            if digest != item.sha256 and kind != "wasm":
                findings.append(LoadError(f"`{path}` was changed after the build: build again"))
    return findings


def _relabel(diagnostics: Iterable[Diagnostic], item: Input) -> list[Diagnostic]:
    """The findings under the name that the user gave."""
    return [replace(diagnostic, source=item.source) for diagnostic in diagnostics]
