"""Completions that Tab offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from marine_gen.repl import ReplOptions
from marine_gen.repl.complete import complete
from marine_gen.repl.output import Output
from marine_gen.repl.registry import commands
from marine_gen.repl.session import Session
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import guest
from tests.support.repl import transcript


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A service of modules with records and booleans."""
    made = Session(ReplOptions("fused", quiet=True), Output(interactive=True))
    with closing(made):
        made.open(GUESTS_FOLDER / "greeting.wasm")
        for name in ("records_effector", "records_pure", "donkey"):
            made.work.load(name, guest(name))
        made.work.load("two words", guest("greeting"))
        yield made


def offered(session: Session, text: str) -> list[str]:
    """The texts that would stand in the line."""
    return [text[: len(text) - item.replaces] + item.text for item in complete(session, text)]


def test_commands(session: Session) -> None:
    assert offered(session, "") == [item.name for item in commands()]
    assert offered(session, "ca") == ["call"]
    assert offered(session, "help ex") == ["help explain"]
    assert offered(session, "nonsense ") == []


def test_modules_and_functions(session: Session) -> None:
    assert offered(session, "call don") == ["call donkey"]
    assert offered(session, "unload rec") == ["unload records_effector", "unload records_pure"]
    assert offered(session, "call ")[-1] == 'call "two words"'
    assert offered(session, 'call "two w') == ['call "two words"']
    assert offered(session, 'call "two words" g') == ['call "two words" greeting']
    assert offered(session, 'call "two words" greeting {') == ['call "two words" greeting {"name": ']
    assert offered(session, "c greeting ") == ["c greeting greeting"]
    assert offered(session, "call nobody ") == []
    assert offered(session, "interface ") == []
    about = [item.about for item in complete(session, "call donkey g")]
    assert about == ["greeting(name: string) -> string"]


def test_engines_and_files(session: Session, tmp_path: Path) -> None:
    (tmp_path / "some.wasm").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    assert offered(session, "engine c") == ["engine closures"]
    assert offered(session, f"new {tmp_path}/so") == [f"new {tmp_path}/some.wasm"]
    assert offered(session, f"load name {tmp_path}/su") == [f"load name {tmp_path}/sub"]
    assert offered(session, f"load {tmp_path}/su") == []


def test_parameters_and_fields(session: Session) -> None:
    assert offered(session, "call donkey greeting {") == ['call donkey greeting {"name": ']
    assert offered(session, 'call donkey greeting {"na') == ['call donkey greeting {"name": ']
    assert offered(session, 'call donkey greeting {"name": "x", ') == []
    assert offered(session, "call donkey greeting [") == []


FIELDS = {
    'test_record [{"': ("test_record_0", "test_record_1"),
    'test_record {"test_record": {"test_record_1": {"fi': ("field_0", "field_1", "field_2"),
    'test_record [[{}, {"field_1": "{[", "field_2": [1, 2], ': ("field_0", "test_record_0"),
    'pass_droppable_record [{"data": {"id": 1}}, [{"data2": [{"id": 1}, {': ("id",),
    'pass_droppable_record {"record": {}, ': ("records",),
}
"""Beginnings of arguments, and the fields that may come next."""


@pytest.mark.parametrize(("begin", "fields"), FIELDS.items())
def test_fields_are_those_of_the_record_at_the_cursor(session: Session, begin: str, fields: tuple[str, ...]) -> None:
    session.work.load("records", guest("records_passing_effector"))
    found = list(complete(session, f"call records {begin}"))
    assert [item.text for item in found] == [f'"{name}": ' for name in fields]
    assert all(item.about for item in found)


def test_booleans(session: Session) -> None:
    session.work.load("arrays", guest("arrays_passing_effector"))
    assert offered(session, "call arrays bool_type [[true, f") == ["call arrays bool_type [[true, false"]
    mutate = 'call records_effector mutate_struct [{"field_0": '
    assert [item.text for item in complete(session, mutate)] == ["true", "false"]
    assert offered(session, "call arrays u32_type [[") == []


STRANGE = ("call", "call ", "call donkey greeting ]]]", 'call donkey greeting {"a": {"b": [{', "  ")


@pytest.mark.parametrize("text", STRANGE)
def test_nothing_breaks(session: Session, text: str) -> None:
    assert all(item.replaces <= len(text) for item in complete(session, text))


def test_every_command_is_in_the_help() -> None:
    shown = transcript(None, ["help"])
    assert all(item.usage in shown and item.summary in shown for item in commands())
    names = [name for item in commands() for name in item.names]
    assert len(names) == len(set(names))
