"""The service of an interactive session, and the running of command lines. It knows no terminal.

A failing command says why and changes nothing: a new service takes the place of the old one only when it is there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NoReturn

from marine_gen.console.report import wants_colour
from marine_gen.repl.failure import CommandError, because
from marine_gen.repl.interrupt import Break, breakable
from marine_gen.repl.output import Output
from marine_gen.repl.reading import take_word
from marine_gen.repl.registry import by_name
from marine_gen.repl.spelling import duration

if TYPE_CHECKING:
    from marine_gen.artifact.workbench import Workbench
    from marine_runtime.config.model import ModuleConfig
    from marine_runtime.service.service import Service
    from marine_runtime.tracing.recorder import Tracer

TIMEOUT = 0.1
LONGEST_TIMEOUT = 3600.0
"""Seconds that a call may take: by default, as in Marine, and at most. One without a limit could not be broken off."""


@dataclass(frozen=True, slots=True)
class ReplOptions:
    """What a session starts with.

    Attributes:
        engine: engine that runs the adapters.
        call_layer: call layer, `fast` or `public`.
        timeout: seconds that a call may take.
        quiet: no banner, no message about services that are made.
        working_dir: where relative `mapped_dirs` start, instead of what configurations say.
        host_functions: what modules may import from the host.
        trace: file for the calls of the whole session, for Perfetto.
    """

    engine: str
    call_layer: str = "fast"
    timeout: float = TIMEOUT
    quiet: bool = False
    working_dir: Path | None = None
    host_functions: Mapping[Any, Any] = field(default_factory=dict)
    trace: Path | None = None


class Session:
    """One service and what the user does with it.

    Attributes:
        options: what the session was started with.
        output: where commands write to.
        work: the service with the sources of its modules.
        engine: the engine that runs the adapters now.
        timeout: seconds that a call may take now.
        running: whether the loop goes on.
        failed: whether a command failed.
        tracer: what records the calls of the service, while there is something.
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
        self._recording = ExitStack()
        self.breaking = Break()
        self._told_state = False

    @property
    def service(self) -> Service:
        """The running service."""
        return self.work.service

    @property
    def _is_open(self) -> bool:
        """Whether there is a service; there is none before the first one was made."""
        return hasattr(self, "work")

    def open(self, target: Path | None) -> None:
        """Make a service of `target`, or an empty one, and put it in the place of the one before.

        Raises:
            MarineError: as `marine_gen.load`.
        """
        from marine_gen.artifact.workbench import open_workbench

        identifier = str(uuid.uuid4())
        with self._clock() as elapsed:
            work = open_workbench(
                target,
                engine=self.engine,
                call_layer=self.options.call_layer,
                host_functions=self.options.host_functions,
                service_id=identifier,
                working_dir=self.options.working_dir,
                timeout=LONGEST_TIMEOUT,
                trace=self.tracer,
            )
        first = not self._is_open
        self._replace(work)
        if not self.options.quiet and (self.output.interactive or not first):  # a program did not ask for the first one
            self.output.note(f"app service was created with service id = {identifier}\nelapsed time {elapsed()}")

    def reload(self, engine: str) -> str:
        """Load the modules anew with `engine`; they lose their state. Gives the time it took.

        Raises:
            MarineError: as `marine_gen.load`; the service of before stays.
        """
        with self._clock() as elapsed:
            work = self.work.reopened(
                engine, host_functions=self.options.host_functions, timeout=LONGEST_TIMEOUT, trace=self.tracer
            )
        self.engine = engine
        self._replace(work)
        return elapsed()

    def record(self, path: Path) -> None:
        """Record calls until `stop_recording` writes the file at `path`; modules that are there are loaded anew.

        Raises:
            MarineError: the file can't be written, or as `marine_gen.load`; nothing is recorded then.
        """
        from marine_runtime.tracing.recorder import tracing

        with ExitStack() as stack:
            self.tracer = stack.enter_context(tracing(path))
            stack.callback(setattr, self, "tracer", None)
            if self._is_open:
                self.reload(self.engine)
            self._recording = stack.pop_all()

    def stop_recording(self) -> None:
        """Write what was recorded, if anything is.

        Raises:
            LoadError: the file can't be written.
        """
        self._recording.close()

    def _replace(self, work: Workbench) -> None:
        before = self.service if self._is_open else None
        self.work = work
        self._told_state = False
        if before is not None:
            before.close()

    def close(self) -> None:
        """Free the service, and write what was recorded of it.

        Raises:
            LoadError: what was recorded can't be written.
        """
        if self._is_open:
            self.service.close()
        self.stop_recording()

    def execute(self, line: str) -> None:
        """Run one command line; what goes wrong is written, and remembered in `failed`. Ctrl-C ends the command."""
        if not line.strip():
            return
        if not line.startswith(" "):
            self.lines.append(line)
        with self._reporting():
            word, rest = take_word(line)
            command = by_name().get(word)
            if command is None:
                self._unknown(word)
            command.run(self, rest)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Write what goes wrong inside."""
        from marine_runtime.wasm import open_runtime

        runtime = open_runtime(self.options.call_layer)
        try:
            with breakable(runtime.interrupt) as self.breaking:
                yield
        except CommandError as error:
            self._fail(error)
        except KeyboardInterrupt:
            self._fail(CommandError("interrupted: Ctrl-C"))
        except BrokenPipeError:
            raise
        except Exception as error:
            self._fail(because("error", error))

    def _fail(self, error: CommandError) -> None:
        self.failed = True
        self.output.warn(str(error))
        self._tell_state()

    def _tell_state(self) -> None:
        """Say once that a call was broken off, and how to go on."""
        from marine_runtime.calls.state import ServiceState

        if self._told_state or not self._is_open or self.service.state is not ServiceState.FAILED:
            return
        self._told_state = True
        self.output.warn(
            "a call was broken off and nothing was undone: modules can be called, with the state that it left them in; "
            f"`engine {self.engine}` loads them anew"
        )

    @contextmanager
    def _clock(self) -> Iterator[Callable[[], str]]:
        start = end = perf_counter_ns()
        yield lambda: duration(end - start)
        end = perf_counter_ns()

    @contextmanager
    def clock(self) -> Iterator[Callable[[], str]]:
        """Times what is done inside, which may call guests; what it gives says how long that took."""
        with self.breaking.guarding(), self._clock() as elapsed:
            yield elapsed

    def load(self, name: str, wasm: bytes, config: ModuleConfig) -> None:
        """Load one more module; raises as `Workbench.load`."""
        self.work.load(name, wasm, config, timeout=LONGEST_TIMEOUT)

    def interrupted(self, what: str) -> CommandError | None:
        """The failure of what Ctrl-C broke off; None when nobody pressed it."""
        return CommandError(f"{what} interrupted: Ctrl-C") if self.breaking.pressed else None

    def check_function(self, module: str, function: str) -> None:
        """Look whether there is such a function.

        Raises:
            CommandError: there is not; with a suggestion.
        """
        from marine_runtime.messages import suggestion

        self.check_module(module)
        known = list(self.service.modules[module])
        if function not in known:
            raise CommandError(f"function with name `{function}` is missing{suggestion(function, known)}")

    def check_module(self, module: str) -> None:
        """Look whether there is such a module.

        Raises:
            CommandError: there is not; with a suggestion.
        """
        from marine_runtime.messages import suggestion

        known = list(self.service.modules)
        if module not in known:
            raise CommandError(f'module with name "{module}" is missing{suggestion(module, known)}')

    def _unknown(self, word: str) -> NoReturn:
        from marine_runtime.messages import suggestion

        raise CommandError(f"there is no command `{word}` (`help` lists all){suggestion(word, list(by_name()))}")

    def greet(self) -> None:
        """The banner (spec marine-runtime §9.1)."""
        import sys

        import click

        from marine_gen._version import __version__
        from marine_gen.artifact.compile import MIN_IT, MIN_SDK

        def blue(version: object) -> str:
            return click.style(str(version), fg="blue") if wants_colour(sys.stdout) else str(version)

        click.echo(f"Welcome to the Marine REPL (version {blue(__version__)})")
        click.echo("Minimal supported versions")
        click.echo(f"  sdk: {blue(MIN_SDK)}")
        click.echo(f"  interface-types: {blue(MIN_IT)}")
        click.echo()


def run_repl(target: Path | None, options: ReplOptions) -> int:
    """Run command lines from stdin until its end or `quit`; a person gets prompts.

    Returns:
        The exit code: 1 when a command failed and no person was there to see it.

    Raises:
        MarineError: the first service can't be made, or the file of `options.trace` can't be written.
    """
    import sys

    interactive = sys.stdin is not None and sys.stdin.isatty()
    session = Session(options, Output(interactive=interactive, quiet=options.quiet and not interactive))
    try:
        if interactive and not options.quiet:
            session.greet()
        from marine_runtime.wasm import open_runtime

        if options.trace is not None:
            session.record(options.trace)
        with breakable(open_runtime(options.call_layer).interrupt):
            session.open(target)
        if interactive:
            from marine_gen.repl.terminal import converse

            converse(session)
            return 0
        from marine_gen.repl.pipe import obey

        obey(session)
        return int(session.failed)
    finally:
        session.close()
