"""The loop for a person: prompts, editing, completion, history. `dispatch` runs the lines.

Ctrl-C clears the line, or exits if it is empty, as in Marine's loop; Ctrl-D exits; during a command Ctrl-C interrupts
that.
"""

from __future__ import annotations

from collections.abc import Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import HighlightMatchingBracketProcessor
from prompt_toolkit.output import ColorDepth

from marine_gen.console.output import is_terminal
from marine_gen.repl.complete import complete
from marine_gen.repl.dispatch import execute, goes_on
from marine_gen.repl.history import open_history
from marine_gen.repl.session import Session


def converse(session: Session) -> None:
    """Prompt for lines and run them until the user leaves."""
    history, problem = open_history()
    if problem:
        session.output.warn(problem)
    prompt: PromptSession[str] = PromptSession(
        history=history,
        completer=_Completer(session),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        enable_history_search=True,
        multiline=Condition(lambda: goes_on(f"{get_app().current_buffer.text}\n")),
        input_processors=[HighlightMatchingBracketProcessor()],
        key_bindings=_keys(),
        color_depth=_depth(),
    )
    number = 1
    while session.running:
        session.output.note("")
        try:
            line = prompt.prompt(FormattedText([("ansigreen bold", f"{number}> ")]))
        except KeyboardInterrupt:
            session.output.note("CTRL-C")
            return
        except EOFError:
            session.output.note("CTRL-D")
            return
        number += 1
        try:
            execute(session, line)
        except KeyboardInterrupt:  # between the prompt and the command
            session.output.note("")


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-c")
    def _drop_or_leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    return keys


def _depth() -> ColorDepth | None:
    """Colours follow NO_COLOR like everything else on the command line."""
    import sys

    from marine_gen.console.report import wants_colour

    return None if wants_colour(sys.stdout) and is_terminal() else ColorDepth.DEPTH_1_BIT


class _Completer(Completer):
    """The findings of `complete`, for the terminal."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """The ways to go on at the cursor."""
        for item in complete(self._session, document.text_before_cursor):
            yield Completion(item.text, -item.replaces, display_meta=item.about)
