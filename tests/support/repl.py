"""Sessions of the interactive loop in this process, as a person sees them, without what changes from run to run."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from marine_gen.repl import ReplOptions
from marine_gen.repl.dispatch import execute
from marine_gen.repl.output import Output
from marine_gen.repl.run import greet as print_banner
from marine_gen.repl.session import Session

_TIME = re.compile(r"elapsed time(:?) \d+(\.\d+)?(ns|µs|ms|s)\b")
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def masked(text: str) -> str:
    """`text` without times and identifiers of services."""
    return _IDENTIFIER.sub("…", _TIME.sub(r"elapsed time\1 …", text))


def transcript(target: Path | None, lines: Sequence[str], *, greet: bool = False, **options: Any) -> str:
    """The output of a session, prompts with the lines included; the banner when it is to `greet`."""
    options = {"engine": "fused", "timeout": 20.0, **options}  # a busy machine is no reason to fail
    memory = io.BytesIO()
    stream = io.TextIOWrapper(memory, "utf-8", write_through=True)
    with redirect_stdout(stream), redirect_stderr(stream):
        session = Session(ReplOptions(**options), Output(interactive=True))
        try:
            if greet:
                print_banner()
            session.open(target)
            for number, line in enumerate(lines, 1):
                print(f"\n{number}> {line}")
                execute(session, line)
                if not session.running:
                    break
        finally:
            session.close()
    return masked(memory.getvalue().decode())
