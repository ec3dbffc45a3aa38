"""The command that calls functions."""

from __future__ import annotations

from marine_gen.repl.command import CALL_WORDS, Command
from marine_gen.repl.failure import CommandError, because, interrupted
from marine_gen.repl.positions import position_of
from marine_gen.repl.reading import marked, take_flag, take_function, take_json
from marine_gen.repl.session import Session
from marine_gen.repl.spelling import duration, pretty
from marine_gen.wire.call_parameters import read_call_parameters
from marine_runtime import ArgumentError, CallTimeoutError


def _call(session: Session, rest: str) -> None:
    module, function, rest = take_function(rest)
    flag, behind = take_flag(rest)
    arguments, behind = take_json(behind, "args")
    parameters = None
    if behind:
        given, behind = take_json(behind, "call parameters")
        try:
            parameters = read_call_parameters(given, lenient=True)
        except ArgumentError as error:
            raise CommandError(f"invalid call parameters: {error}") from None
        if behind:
            raise CommandError("trailing characters after call parameters are not supported")
    try:
        session.check_function(module, function)
        with session.clock() as elapsed:
            result = session.service.call_json(
                module, function, arguments, call_parameters=parameters, timeout=session.timeout
            )
    except CommandError as error:
        raise CommandError(f"call failed with: {error}") from None
    except KeyboardInterrupt:
        raise interrupted("call") from None
    except CallTimeoutError:
        limit = duration(round(session.timeout * 10**9))
        raise CommandError(f"call interrupted: deadline has elapsed ({limit})") from None
    except ArgumentError as error:
        raise _refused(session, module, function, arguments, error) from None
    except Exception as error:
        raise because("call failed with", error) from None
    if flag:
        session.output.note(f"call succeeded, elapsed time: {elapsed()}")
        return
    session.output.data(pretty(result), "result: ")
    session.output.note(f" elapsed time: {elapsed()}")


def _refused(session: Session, module: str, function: str, arguments: str, error: ArgumentError) -> CommandError:
    """The failure of a call whose arguments do not fit, with a caret under the place when that is known."""
    failure = because("call failed with", error)
    interface = session.service.interface.modules[module]
    position = position_of(error.path, arguments, interface.functions[function], interface.records)
    return failure if position is None else CommandError(marked(str(failure), arguments, position))


CALL = Command(
    ("call", "c"),
    "<module_name> <func_name> <args> [call_params]",
    "call function with given name from given module",
    _call,
    CALL_WORDS,
)

COMMANDS = (CALL,)
