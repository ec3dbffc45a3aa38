"""The command that compares the engines on a call, as `marine-gen bench` does."""

from __future__ import annotations

from marine_gen.repl.command import CALL_WORDS, Command
from marine_gen.repl.failure import because
from marine_gen.repl.reading import refuse_rest, take_function, take_json
from marine_gen.repl.session import Session
from marine_runtime import MarineError

_ROUNDS = 5
_MIN_TIME = 0.05  # seconds


def _bench(session: Session, rest: str) -> None:
    from marine_gen.bench import compare, describe_machine, open_candidates
    from marine_gen.console.timings import show_timings

    module, function, rest = take_function(rest)
    arguments, rest = take_json(rest, "args")
    refuse_rest(rest, BENCH.usage)
    session.check_function(module, function)
    session.output.note("the service is reloaded for each engine; this one is left alone")
    try:
        with open_candidates(
            dict(session.work.sources),
            lambda _: (module, function),
            arguments,
            host_functions=session.options.host_functions,
            options={"config": session.service.config},
        ) as candidates:
            calls = {item.name: item.call for item in candidates}
            timings = compare(calls, rounds=_ROUNDS, min_time=_MIN_TIME)
    except MarineError as error:
        raise because("bench failed with", error) from None
    show_timings(timings)
    session.output.note(str(describe_machine()))


BENCH = Command(("bench", "b"), "<module_name> <func_name> <args>", "time a call on every engine", _bench, CALL_WORDS)

COMMANDS = (BENCH,)
