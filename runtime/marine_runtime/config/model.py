"""The configuration of a service, as typed objects that hold valid settings only (docs/spec/configuration.md).

This is what linking works with, and what the manifest of a built service keeps as JSON. Configuration files are read by
`marine_runtime.config.toml`; embedders may build these objects directly, and wrong values raise the same errors. Paths
are those of the host and are used as they are; whether they exist is found when a service is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from marine_runtime.errors import ConfigError
from marine_runtime.lazy.data import dataclass, field, replace
from marine_runtime.lazy.typing import IO, Any
from marine_runtime.texts.messages import suggestion

ALL_TARGETS = 2147483647
"""The logging mask that lets every target through."""

Output = Callable[[bytes], object] | IO[bytes]
"""The receiver of captured output: a callable, or a file open for bytes."""

LOG_VARIABLE = "WASM_LOG"
"""The environment variable with the log levels of modules, of the host and of each module; see `log_levels`."""

SERVICE_ID = "service_id"
"""The environment variable that tells modules which service they belong to."""

_KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
    type(None): "nothing",
}


@dataclass(frozen=True, slots=True)
class MountedBinary:
    """A program of the host that a module may run. By default it has no limits, as in Marine.

    Attributes:
        path: its path; a bare name is a file in the current directory, as PATH is not searched.
        timeout: seconds after which it is stopped.
        output_limit: bytes of standard output and error together after which it is stopped.
        env: its complete environment; None for that of the host process.
    """

    path: str
    timeout: float | None = None
    output_limit: int | None = None
    env: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse invalid values, and keep a copy of the environment.

        Raises:
            ConfigError: a value has the wrong type or is out of range.
        """
        import threading

        check_text(self.path, "the path of a mounted binary")
        where = f"mounted binary `{self.path}`"
        if self.timeout is not None and not (_number(self.timeout) and 0 < self.timeout < threading.TIMEOUT_MAX):
            raise ConfigError(f"{where}: the timeout must be a positive number of seconds, not {self.timeout!r}")
        limit = self.output_limit
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
            raise ConfigError(f"{where}: the output limit must be a number of bytes, not {limit!r}")
        if self.env is not None:
            _keep(self, "env", check_envs(self.env, f"{where}: `env`"))


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """The permissions of one module.

    Attributes:
        logger_enabled: whether `log_utf8_string` is provided.
        logging_mask: targets whose messages are kept, as bits; target 0 always is.
        mounted_binaries: host program by import name; a path alone has no limits.
        envs: WASI environment.
        mapped_dirs: host directory by the name that the guest sees; made when the service is loaded.
        stdout: receives the output of the module; by default it goes to that of the process.
        stderr: the same for its error output.
    """

    logger_enabled: bool = True
    logging_mask: int = ALL_TARGETS
    mounted_binaries: Mapping[str, str | MountedBinary] = field(default_factory=dict)
    envs: Mapping[str, str] = field(default_factory=dict)
    mapped_dirs: Mapping[str, str] = field(default_factory=dict)
    stdout: Output | None = None
    stderr: Output | None = None

    def __post_init__(self) -> None:
        """Refuse invalid values, and keep copies of the mappings.

        Raises:
            ConfigError: a value has the wrong type or is out of range.
        """
        check_flag(self.logger_enabled, "`logger_enabled`")
        check_mask(self.logging_mask, "`logging_mask`")
        _keep(self, "mounted_binaries", check_binaries(self.mounted_binaries, "`mounted_binaries`"))
        _keep(self, "envs", check_envs(self.envs, "`envs`"))
        _keep(self, "mapped_dirs", check_directories(self.mapped_dirs, "`mapped_dirs`"))
        check_output(self.stdout, "`stdout`")
        check_output(self.stderr, "`stderr`")

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON document."""
        from dataclasses import asdict

        return {
            "logger_enabled": self.logger_enabled,
            "logging_mask": self.logging_mask,
            "mounted_binaries": {
                name: asdict(item) if isinstance(item, MountedBinary) else item
                for name, item in self.mounted_binaries.items()
            },
            "envs": dict(self.envs),
            "mapped_dirs": dict(self.mapped_dirs),
        }


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Settings of a service.

    Attributes:
        total_memory_limit: bytes that all memories and tables of the service may take together; None for no limit.
        modules: settings by module name; a module that is not named has the defaults.
        envs: environment of all modules; overrides that of a single module.
        service_id: value of the environment variable `service_id` of all modules; None for no such variable.
    """

    total_memory_limit: int | None = None
    modules: Mapping[str, ModuleConfig] = field(default_factory=dict)
    envs: Mapping[str, str] = field(default_factory=dict)
    service_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse invalid values, and keep copies of the mappings.

        Raises:
            ConfigError: a value has the wrong type or is out of range.
        """
        limit = self.total_memory_limit
        if limit is not None:
            if not isinstance(limit, int) or isinstance(limit, bool):
                raise ConfigError(f"`total_memory_limit` must be an integer or None, not {kind_of(limit)}")
            from marine_runtime.config.sizes import check_size

            check_size(limit, "`total_memory_limit`")
        if not isinstance(self.modules, Mapping):
            raise ConfigError(f"`modules` must be a table, not {kind_of(self.modules)}")
        for name, module in self.modules.items():
            check_text(name, "a module name")
            if not isinstance(module, ModuleConfig):
                raise ConfigError(f"`modules`: settings of `{name}` must be a ModuleConfig, not {kind_of(module)}")
        _keep(self, "modules", dict(self.modules))
        _keep(self, "envs", check_envs(self.envs, "`envs`"))
        if self.service_id is not None:
            check_text(self.service_id, "`service_id`", empty=True)

    def module(self, name: str) -> ModuleConfig:
        """The settings of one module, with the environment that it gets."""
        own = self.modules.get(name, _NO_SETTINGS)
        if not self.envs and self.service_id is None:
            return own
        common = dict(self.envs) if self.service_id is None else {**self.envs, SERVICE_ID: self.service_id}
        return replace(own, envs={**own.envs, **common})

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON document."""
        return {
            "total_memory_limit": self.total_memory_limit,
            "modules": {name: module.to_json() for name, module in self.modules.items()},
            "envs": dict(self.envs),
            "service_id": self.service_id,
        }

    @classmethod
    def from_json(cls, document: Any) -> ServiceConfig:
        """The inverse of `to_json`; what is left out has its default.

        Raises:
            ConfigError: the document is not a configuration.
        """
        values = _members(cls, document, "the configuration")
        if values.get("total_memory_limit") is not None:
            from marine_runtime.config.sizes import parse_size

            # Earlier versions kept the text of the configuration file.
            values["total_memory_limit"] = parse_size(values["total_memory_limit"], "`total_memory_limit`")
        modules = values.get("modules", {})
        if isinstance(modules, Mapping):
            values["modules"] = {name: _module_from_json(name, item) for name, item in modules.items()}
        return cls(**values)


def _module_from_json(name: str, document: Any) -> ModuleConfig:
    values = _members(ModuleConfig, document, f"module `{name}`")
    binaries = values.get("mounted_binaries", {})
    if isinstance(binaries, Mapping):
        values["mounted_binaries"] = {
            program: MountedBinary(**_members(MountedBinary, item, f"module `{name}`, mounted binary `{program}`"))
            if isinstance(item, Mapping)
            else item
            for program, item in binaries.items()
        }
    return ModuleConfig(**values)


def check_flag(value: Any, where: str) -> bool:
    """`value` if it is a boolean; `where` is its name in messages, here and below.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be a boolean, not {kind_of(value)}")
    return value


def check_mask(value: Any, where: str) -> int:
    """`value` if it is a signed number of 32 bits.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where} must be an integer, not {kind_of(value)}")
    if not -(2**31) <= value < 2**31:
        raise ConfigError(f"{where} must be from -2147483648 to 2147483647")
    return value


def check_text(value: Any, where: str, *, empty: bool = False) -> str:
    """`value` if it is a text that the operating system takes as a name or a path.

    Raises:
        ConfigError: it is something else, or empty unless that is fine.
    """
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be a string, not {kind_of(value)}")
    if not value and not empty:
        raise ConfigError(f"{where} must not be empty")
    if "\0" in value:
        raise ConfigError(f"{where} must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{where} must not contain a lone surrogate") from None
    return value


def check_paths(value: Any, where: str) -> dict[str, str]:
    """`value` if it is a table of paths by name.

    Raises:
        ConfigError: it is something else.
    """
    return {
        check_text(name, f"{where}: a name"): check_text(path, f"{where}: the path of `{name}`")
        for name, path in _table(value, where).items()
    }


def check_directories(value: Any, where: str) -> dict[str, str]:
    """`value` if it is a table of paths by the names that a guest sees, which are environment variables too.

    Raises:
        ConfigError: it is something else.
    """
    directories = check_paths(value, where)
    for name in directories:
        if "=" in name:
            raise ConfigError(f"{where}: the name `{name}` must not contain `=`, as it names a variable too")
    return directories


def check_output(value: Any, where: str) -> Output | None:
    """`value` if bytes can be written to it: a callable, or a file open for bytes; or None.

    Raises:
        ConfigError: it is something else.
    """
    if value is None:
        return None
    import inspect
    import io

    wanted = f"{where} must be a callable or a binary file"
    if isinstance(value, io.TextIOBase):
        raise ConfigError(
            f"{wanted}, not a text file; give `io.BytesIO()`, a file opened with mode `wb`, or `sys.stdout.buffer`"
        )
    write = getattr(value, "write", None)
    if not callable(write) and not callable(value):
        raise ConfigError(f"{wanted}, not {kind_of(value)}")
    if isinstance(value, type) and write is not None:
        raise ConfigError(f"{wanted}, not the class {value.__name__}")
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(write):
        raise ConfigError(f"{wanted} that takes bytes at once, not a coroutine function")
    if isinstance(value, io.IOBase) and (value.closed or not value.writable()):
        raise ConfigError(f"{wanted} that is open for writing")
    return value  # type: ignore[no-any-return]  # as far as can be told


def check_binaries(value: Any, where: str) -> dict[str, str | MountedBinary]:
    """`value` if it is a table of programs by name, each a path or a `MountedBinary`.

    Raises:
        ConfigError: it is something else.
    """
    return {
        check_text(name, f"{where}: a name"): item
        if isinstance(item, MountedBinary)
        else check_text(item, f"{where}: the path of `{name}`")
        for name, item in _table(value, where).items()
    }


def check_envs(value: Any, where: str) -> dict[str, str]:
    """`value` if it is a table of environment variables.

    Raises:
        ConfigError: it is something else.
    """
    envs = {
        check_text(name, f"{where}: a name"): check_text(content, f"{where}: the value of `{name}`", empty=True)
        for name, content in _table(value, where).items()
    }
    for name in envs:
        if "=" in name:
            raise ConfigError(f"{where}: the name `{name}` must not contain `=`")
    return envs


def check_known(given: Iterable[str], known: Iterable[str], where: str, path: str = "") -> None:
    """Refuse keys that are not `known`, with the nearest one that is; `path` leads to them.

    Raises:
        ConfigError: there is such a key.
    """
    valid = sorted(known)
    for key in given:
        if key not in valid:
            raise ConfigError(
                f"{where}: unknown key `{path}{key}`{suggestion(str(key), valid)} (valid keys: {', '.join(valid)})"
            )


def kind_of(value: Any) -> str:
    """The type of a wrong value, in words."""
    return _KINDS.get(type(value), type(value).__name__)


def _table(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a table, not {kind_of(value)}")
    return value


def _members(cls: type[ModuleConfig | ServiceConfig | MountedBinary], document: Any, where: str) -> dict[str, Any]:
    values = dict(_table(document, where))
    check_known(values, cls.__match_args__, where)
    return values


def _keep(owner: ModuleConfig | ServiceConfig | MountedBinary, name: str, value: Mapping[str, Any]) -> None:
    object.__setattr__(owner, name, value)  # the way past `frozen` that dataclasses themselves take


_NO_SETTINGS = ModuleConfig()
"""The settings of a module that nobody configures."""
