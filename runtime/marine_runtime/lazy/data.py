"""Dataclasses that are cheap to define.

`dataclasses.dataclass` compiles half a dozen functions for each class while a module is imported, and its own import
takes longer than a first call. Here `__init__` is compiled once a class has several instances, and everything else is
shared. Classes are dataclasses for everybody else: `dataclasses.fields`, `replace`, `asdict` and pickling work on them.

Type checkers see the functions of `dataclasses`. What the runtime does not use is not there:
options other than `frozen` and `slots`, arguments of `field` other than `default_factory`.
"""

from __future__ import annotations

from operator import attrgetter

from marine_runtime.lazy.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dataclass", "field", "replace"]


class _Missing:
    """No default, or none yet."""

    def __repr__(self) -> str:
        return "<factory>"


_MISSING: Any = _Missing()

_FEW = 40
"""Instances of a class that take less time without a compiled `__init__` than its compilation does."""


class _Factory:
    """The default of a field that is made for each instance."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class _Plan:
    """The fields of a class.

    Attributes:
        owner: the class.
        defaults: by name of the field, in order; `_MISSING` without one.
        kinds: their annotations, as text.
        made: instances that were made without a compiled `__init__`.
        values: makes the tuple of their values from an instance.
    """

    __slots__ = ("_dataclass_fields", "defaults", "frozen", "kinds", "made", "owner", "values")

    def __init__(self, defaults: dict[str, Any], kinds: dict[str, Any], *, frozen: bool) -> None:
        self.owner: Any = None
        self.defaults = defaults
        self.kinds = kinds
        self.frozen = frozen
        self.made = 0
        self._dataclass_fields: dict[str, Any] | None = None
        names = tuple(defaults)
        if len(names) == 1:
            only = attrgetter(names[0])
            self.values: Callable[[Any], tuple[Any, ...]] = lambda item: (only(item),)
        else:
            self.values = attrgetter(*names) if names else lambda item: ()

    def dataclass_fields(self) -> dict[str, Any]:
        """The fields as `dataclasses` describes them."""
        if self._dataclass_fields is None:
            import dataclasses

            made = {}
            for name, default in self.defaults.items():
                if isinstance(default, _Factory):
                    item: Any = dataclasses.field(default_factory=default.make)
                else:
                    item = dataclasses.field(default=dataclasses.MISSING if default is _MISSING else default)
                item.name, item.type, item.kw_only = name, self.kinds[name], False
                item._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # what `fields` looks for
                made[name] = item
            self._dataclass_fields = made
        return self._dataclass_fields

    def fill(self, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Do what `__init__` does, with a loop; False, with nothing done, when the arguments are wrong."""
        if len(args) > len(self.defaults) or not kwargs.keys() <= self.defaults.keys():
            return False
        given = dict(zip(self.defaults, args, strict=False))
        if given.keys() & kwargs.keys():
            return False
        given |= kwargs
        for name, default in self.defaults.items():
            if name not in given:
                if default is _MISSING:
                    return False
                given[name] = default.make() if isinstance(default, _Factory) else default
        for name in self.defaults:
            object.__setattr__(instance, name, given[name])
        if hasattr(instance, "__post_init__"):
            instance.__post_init__()
        return True

    def compile_init(self) -> Any:
        """`__init__`, straight-line code over the fields."""
        scope: dict[str, Any] = {"missing": _MISSING}
        parameters, lines = [], []
        for number, (name, default) in enumerate(self.defaults.items()):
            parameter = value = name
            if isinstance(default, _Factory):
                scope[f"make{number}"] = default.make
                parameter += "=missing"
                value = f"make{number}() if {name} is missing else {name}"
            elif default is not _MISSING:
                scope[f"default{number}"] = default
                parameter += f"=default{number}"
            parameters.append(parameter)
            if self.frozen:
                scope["set_field"] = object.__setattr__
                lines.append(f"set_field(self, {name!r}, {value})")
            else:
                lines.append(f"self.{name} = {value}")
        if hasattr(self.owner, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "\n    ".join(lines or ["pass"])
        exec(f"def __init__(self, {', '.join(parameters)}):\n    {body}", scope)  # noqa: S102  # names only
        made = scope["__init__"]
        made.__qualname__ = f"{self.owner.__qualname__}.__init__"
        made.__module__ = self.owner.__module__
        made.__annotations__ = {**self.kinds, "return": None}
        return made


class _Described:
    """An attribute of a class that is made from its plan when somebody asks for it."""

    __slots__ = ("_describe",)

    def __init__(self, describe: Callable[[], Any]) -> None:
        self._describe = describe

    def __get__(self, instance: object, owner: type) -> Any:
        return self._describe()


def _plan_of(cls: Any, *, frozen: bool) -> _Plan:
    """The plan of a class, its bases' fields first."""
    defaults: dict[str, Any] = {}
    kinds: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited = base.__dict__.get("__plan__")
        if inherited is not None:
            defaults |= inherited.defaults
            kinds |= inherited.kinds
    for name, kind in cls.__dict__.get("__annotations__", {}).items():  # noqa: RUF063  # `inspect` is not imported here
        if not kind.startswith("ClassVar"):
            defaults[name] = cls.__dict__.get(name, _MISSING)
            kinds[name] = kind
    return _Plan(defaults, kinds, frozen=frozen)


def _dataclass(cls: Any = None, /, *, frozen: bool = False, slots: bool = False) -> Any:
    if cls is None:
        return lambda cls: _dataclass(cls, frozen=frozen, slots=slots)
    plan = _plan_of(cls, frozen=frozen)
    content = dict(cls.__dict__)
    if slots:
        own = [name for name in plan.defaults if name in cls.__dict__.get("__annotations__", {})]  # noqa: RUF063
        inherited = {name for base in cls.__mro__[1:] for name in base.__dict__.get("__slots__", ())}
        content["__slots__"] = tuple(name for name in own if name not in inherited)
        for name in (*own, "__dict__", "__weakref__"):
            content.pop(name, None)
    else:
        for name, default in plan.defaults.items():
            if isinstance(default, _Factory):
                content.pop(name, None)
        for name in ("__dict__", "__weakref__"):
            content.pop(name, None)
    _add_members(content, plan, slots=slots)
    plan.owner = made = type(cls)(cls.__name__, cls.__bases__, content)
    made.__qualname__ = cls.__qualname__
    return made


def _add_members(content: dict[str, Any], plan: _Plan, *, slots: bool) -> None:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        plan.made += 1
        if plan.made > _FEW or not plan.fill(self, args, kwargs):
            plan.owner.__init__ = compiled = plan.compile_init()
            compiled(self, *args, **kwargs)

    def signature() -> Any:
        import inspect

        if plan.owner.__init__ is __init__:
            plan.owner.__init__ = plan.compile_init()
        whole = inspect.signature(plan.owner.__init__)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in plan.defaults)
        return f"{type(self).__qualname__}({shown})"

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return plan.values(self) == plan.values(other)

    members: dict[str, Any] = {"__init__": __init__, "__repr__": __repr__, "__eq__": __eq__}
    if plan.frozen:
        members |= _frozen_members(plan, slots=slots)
    elif "__hash__" not in content:
        content["__hash__"] = None
    for name, member in members.items():
        content.setdefault(name, member)
    content["__plan__"] = plan
    content["__match_args__"] = tuple(plan.defaults)
    content["__replace__"] = replace
    content["__signature__"] = _Described(signature)
    content["__dataclass_fields__"] = _Described(plan.dataclass_fields)
    content["__dataclass_params__"] = _Parameters(frozen=plan.frozen)


class _Parameters:
    """The parameters that `dataclasses` looks at when somebody derives a dataclass."""

    __slots__ = ("frozen",)

    def __init__(self, *, frozen: bool) -> None:
        self.frozen = frozen


def _frozen_members(plan: _Plan, *, slots: bool) -> dict[str, Any]:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(plan.values(self))

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
        if type(self) is plan.owner or name in plan.defaults:
            raise _frozen_error(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is plan.owner or name in plan.defaults:
            raise _frozen_error(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    members: dict[str, Any] = {"__hash__": __hash__, "__setattr__": __setattr__, "__delattr__": __delattr__}
    if slots:

        def __getstate__(self: Any) -> list[Any]:  # noqa: N807
            return list(plan.values(self))

        def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: N807
            for name, value in zip(plan.defaults, state, strict=True):
                object.__setattr__(self, name, value)

        members |= {"__getstate__": __getstate__, "__setstate__": __setstate__}
    return members


def _frozen_error(text: str) -> AttributeError:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(text)


def _field(*, default_factory: Callable[[], Any]) -> Any:
    return _Factory(default_factory)


def _replace(item: Any, /, **changes: Any) -> Any:
    plan = getattr(item, "__plan__", None)
    if plan is None:
        import dataclasses

        return dataclasses.replace(item, **changes)
    for name in plan.defaults:
        if name not in changes:
            changes[name] = getattr(item, name)
    return item.__class__(**changes)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _field, _replace
