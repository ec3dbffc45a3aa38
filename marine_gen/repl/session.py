"""The state of an interactive session: its service, its settings, its recording. No command and no terminal.

A failure changes nothing: a new service takes the place of the old one only when it is there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from marine_gen.console.inputs import files_of
from marine_gen.console.progress import CompileBar
from marine_gen.repl.failure import CommandError
from marine_gen.repl.output import Output
from marine_gen.repl.spelling import duration

if TYPE_CHECKING:
    from marine_gen.artifact.workbench import Workbench
    from marine_runtime import ModuleConfig, Service, Tracer

TIMEOUT = 0.1
LONGEST_TIMEOUT = 3600.0
"""Seconds that a call may take: by default, as in Marine, and at most."""


@dataclass(frozen=True, slots=True)
class ReplOptions:
    """The settings that a session starts with.

    Attributes:
        engine: engine that runs the adapters.
        call_layer: call layer, `fast` or `public`.
        timeout: seconds that a call may take.
        quiet: no banner, no message about services that are made.
        working_dir: the base of relative `mapped_dirs`, instead of that of configurations.
        host_functions: functions that modules may import from the host.
        trace: file for the calls of the whole session, for Perfetto.
        inputs: further files that the session was given, which no output may overwrite.
        strict: whether modules with invalid adapters are refused.
    """

    engine: str
    call_layer: str = "fast"
    timeout: float = TIMEOUT
    quiet: bool = False
    working_dir: Path | None = None
    host_functions: Mapping[Any, Any] = field(default_factory=dict)
    trace: Path | None = None
    inputs: tuple[Path, ...] = ()
    strict: bool = False


class Session:
    """One service and the settings for its use.

    Attributes:
        options: the options of the session.
        output: the destination of what commands write.
        work: the service with the sources of its modules.
        engine: the engine that runs the adapters now.
        timeout: seconds that a call may take now.
        running: whether the loop goes on.
        failed: whether a command failed.
        tracer: the recorder of the calls of the service, while there is one.
        lines: the lines so far that are kept as history, oldest first.
    """

    work: Workbench

    def __init__(self, options: ReplOptions, output: Output) -> None:
        self.options = options
        self.output = output
        self.engine = options.engine
        self.timeout = options.timeout
        self.running = True
        self.failed = False
        self.tracer: Tracer | None = None
        self.lines: list[str] = []
        self._bar = CompileBar(quiet=options.quiet)
        self._recording = ExitStack()
        self._told_state = False
        self._inputs = list(options.inputs)
        self._trace: Path | None = None

    @property
    def service(self) -> Service:
        """The running service."""
        return self.work.service

    @property
    def _is_open(self) -> bool:
        """True if there is a service; there is none before the first one was made."""
        return hasattr(self, "work")

    def open(self, target: Path | None) -> None:
        """Replace the service by one of `target`, or by an empty one.

        Raises:
            MarineError: as `marine_gen.load`; also when the trace would overwrite a file of `target`.
        """
        from marine_gen.artifact.workbench import open_workbench

        self.read(*files_of(target))

        identifier = str(uuid.uuid4())
        with self.clock() as elapsed, self._bar:
            work = open_workbench(
                target,
                engine=self.engine,
                call_layer=self.options.call_layer,
                host_functions=self.options.host_functions,
                service_id=identifier,
                working_dir=self.options.working_dir,
                timeout=LONGEST_TIMEOUT,
                trace=self.tracer,
                strict=self.options.strict,
                progress=self._bar,
            )
        first = not self._is_open
        self._replace(work)
        if not self.options.quiet and (self.output.interactive or not first):  # a program did not ask for the first one
            self.output.note(f"app service was created with service id = {identifier}\nelapsed time {elapsed()}")

    def reload(self, engine: str) -> str:
        """Load the modules again with `engine`, without their state; return the time that it took.

        Raises:
            MarineError: as `marine_gen.load`; the current service stays.
        """
        with self.clock() as elapsed, self._bar:
            work = self.work.reopened(
                engine, host_functions=self.options.host_functions, timeout=LONGEST_TIMEOUT, trace=self.tracer
            )
        self.engine = engine
        self._replace(work)
        return elapsed()

    def record(self, path: Path) -> None:
        """Record calls until `stop_recording` writes the file at `path`; modules that are there are loaded again.

        Raises:
            MarineError: the file can't be written, or the session read it; or as `marine_gen.load`. Nothing is
                recorded then.
        """
        from marine_gen.artifact import refuse_overwriting
        from marine_runtime import tracing

        refuse_overwriting(path, self._inputs)
        with ExitStack() as stack:
            self._trace = path
            stack.callback(setattr, self, "_trace", None)
            self.tracer = stack.enter_context(tracing(path))
            stack.callback(setattr, self, "tracer", None)
            if self._is_open:
                self.reload(self.engine)
            self._recording = stack.pop_all()

    def read(self, *files: Path) -> None:
        """Note files that are about to be read, which no trace may overwrite.

        Raises:
            ArgumentError: the trace that is being recorded would.
        """
        from marine_gen.artifact import refuse_overwriting

        refuse_overwriting(self._trace, files)
        self._inputs.extend(files)

    def stop_recording(self) -> None:
        """Write what was recorded, if anything is.

        Raises:
            LoadError: the file can't be written.
        """
        self._recording.close()

    def _replace(self, work: Workbench) -> None:
        before = self.service if self._is_open else None
        self.work = work
        self._tell(work.service.warnings)
        self._told_state = False
        if before is not None:
            before.close()

    def close(self) -> None:
        """Free the service, and write what was recorded of it.

        Raises:
            LoadError: the recording can't be written.
        """
        if self._is_open:
            self.service.close()
        self.stop_recording()

    def newly_broken(self) -> bool:
        """True if a call was interrupted in the middle since the service was loaded; True once."""
        from marine_runtime import ServiceState

        if self._told_state or not self._is_open or self.service.state is not ServiceState.FAILED:
            return False
        self._told_state = True
        return True

    @contextmanager
    def clock(self) -> Iterator[Callable[[], str]]:
        """Time the block; the value is a function that returns how long it took."""
        start = end = perf_counter_ns()
        yield lambda: duration(end - start)
        end = perf_counter_ns()

    def load(self, name: str, wasm: bytes, config: ModuleConfig) -> None:
        """Load one more module; raises as `Workbench.load`."""
        known = len(self.service.warnings)
        with self._bar:
            self.work.load(name, wasm, config, timeout=LONGEST_TIMEOUT)
        self._tell(self.service.warnings[known:])

    def _tell(self, sentences: Sequence[str]) -> None:
        """Say which adapters run as closures; functions that were left out are warned of when they are loaded."""
        for sentence in sentences:
            if " runs as a closure" in sentence:
                self.output.note(f"note: {sentence}")

    def check_function(self, module: str, function: str) -> None:
        """Require a function to exist.

        Raises:
            CommandError: it does not; with a suggestion.
        """
        from marine_runtime.texts import suggestion

        self.check_module(module)
        if left_out := self.service.interface.modules[module].left_out.get(function):
            raise left_out.error(module)
        known = list(self.service.modules[module])
        if function not in known:
            raise CommandError(f"function with name `{function}` is missing{suggestion(function, known)}")

    def check_module(self, module: str) -> None:
        """Require a module to exist.

        Raises:
            CommandError: it does not; with a suggestion.
        """
        from marine_runtime.texts import suggestion

        known = list(self.service.modules)
        if module not in known:
            raise CommandError(f'module with name "{module}" is missing{suggestion(module, known)}')
