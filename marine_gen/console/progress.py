"""The bar of compiling: on stderr, where that is a terminal and compiling takes long."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from marine_gen.console.report import clean, wants_colour

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from marine_gen.artifact.progress import CompileStep

PATIENCE = 1.0
"""Seconds of compiling before a bar appears."""

_PERIOD = 0.1  # seconds between pictures


class CompileBar:
    """A callback for `load` and others that shows a bar, and removes it when compiling is over or the block ends.

    A thread of its own draws it, as most of the time passes between two steps. The cursor stays visible, so that a
    program that is stopped or killed meanwhile leaves the terminal as it was.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._wanted = not quiet and _is_terminal()
        self._open = False
        self._lock = Lock()  # copies of a service are loaded by several threads
        self._latest: CompileStep | None = None
        self._shown: tuple[Thread, Event] | None = None

    def __enter__(self) -> CompileBar:
        self._open = self._wanted
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, progress: CompileStep) -> None:
        """Take a step."""
        with self._lock:
            if progress.done == progress.total:
                self._remove()
            elif self._open:
                self._latest = progress
                if self._shown is None:
                    over = Event()
                    thread = Thread(target=self._show, args=(over,), name="marine-gen progress")
                    thread.start()
                    self._shown = thread, over

    def close(self) -> None:
        """Remove the bar; no step shows it again, until another block begins."""
        with self._lock:
            self._open = False
            self._remove()

    def _remove(self) -> None:
        shown, self._shown = self._shown, None
        if shown is not None:
            thread, over = shown
            over.set()
            thread.join()

    def _show(self, over: Event) -> None:
        if over.wait(PATIENCE):
            return
        with suppress(OSError, ValueError):  # the terminal is gone, or stderr was closed
            self._draw(over)

    def _draw(self, over: Event) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        class _Console(Console):
            def show_cursor(self, show: bool = True) -> bool:  # as the base class
                return False

        console = _Console(
            file=sys.stderr, force_terminal=True, force_interactive=True, no_color=not wants_colour(sys.stderr) or None
        )
        name = Column(no_wrap=True, overflow="ellipsis")
        columns = TextColumn("{task.description}", markup=False, table_column=name), BarColumn(), TimeElapsedColumn()
        bar = RichProgress(
            *columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        task = bar.add_task("", total=None)
        bar.tasks[0].start_time = bar.get_time() - PATIENCE
        self._picture(bar, task)
        with bar:
            while not over.wait(_PERIOD):
                self._picture(bar, task)
                bar.refresh()

    def _picture(self, bar: Bar, task: TaskID) -> None:
        """Update the bar, which only moves as long as no module is compiled."""
        latest = self._latest
        if latest is not None:
            total = latest.total if latest.done else None  # None leaves it as it is
            bar.update(task, description=clean(latest.what), completed=latest.done, total=total)


def _is_terminal() -> bool:
    """True if stderr is a terminal that can take back what it shows."""
    stream = sys.stderr
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
    except ValueError:  # it is closed
        return False
