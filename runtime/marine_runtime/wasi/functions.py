"""The functions of WASI preview 1, in one table: signature, descriptor arguments, and who answers.

A function whose `answer` is None goes to the native function of the same name, after the descriptors among its
arguments were translated. The others have a body of their own (`bodies`). The older `wasi_unstable` differs in four
functions, which have other bodies there, and lacks `sock_accept`.
"""

from __future__ import annotations

from collections.abc import Iterable

from marine_runtime.lazy.data import dataclass
from marine_runtime.types import CoreSignature
from marine_runtime.wasm.api import Codes, signature_of

PREVIEW1 = "wasi_snapshot_preview1"
UNSTABLE = "wasi_unstable"
NAMESPACES = (PREVIEW1, UNSTABLE)


@dataclass(frozen=True, slots=True)
class WasiFunction:
    """One function of WASI.

    Attributes:
        name: as it is imported.
        params: codes of its parameters.
        results: codes of its results.
        descriptors: the parameters that are translated before anything else happens.
        answer: the body that answers instead of the native function, or None.
        needs: native functions that the body calls.
    """

    name: str
    params: Codes
    results: Codes = "i"
    descriptors: tuple[int, ...] = ()
    answer: str | None = None
    needs: tuple[str, ...] = ()

    @property
    def signature(self) -> CoreSignature:
        """Its Wasm signature."""
        return signature_of(self.params, self.results)


def _native(name: str, params: Codes, *descriptors: int) -> WasiFunction:
    return WasiFunction(name, params, descriptors=descriptors, needs=(name,))


def _own(name: str, params: Codes, *descriptors: int, answer: str = "", needs: Iterable[str] = ()) -> WasiFunction:
    return WasiFunction(name, params, "i", descriptors, answer or name, tuple(needs))


_TABLE = (
    _own("args_get", "ii", answer="nothing"),
    _own("args_sizes_get", "ii"),
    _own("environ_get", "ii"),
    _own("environ_sizes_get", "ii"),
    _native("clock_res_get", "ii"),
    _native("clock_time_get", "iqi"),
    _native("fd_advise", "iqqi", 0),
    _native("fd_allocate", "iqq", 0),
    _own("fd_close", "i", needs=["fd_close"]),
    _native("fd_datasync", "i", 0),
    _native("fd_fdstat_get", "ii", 0),
    _native("fd_fdstat_set_flags", "ii", 0),
    _native("fd_fdstat_set_rights", "iqq", 0),
    _native("fd_filestat_get", "ii", 0),
    _native("fd_filestat_set_size", "iq", 0),
    _native("fd_filestat_set_times", "iqqi", 0),
    _native("fd_pread", "iiiqi", 0),
    _own("fd_prestat_get", "ii"),
    _own("fd_prestat_dir_name", "iii"),
    _native("fd_pwrite", "iiiqi", 0),
    _native("fd_read", "iiii", 0),
    _own("fd_readdir", "iiiqi", 0),
    _own("fd_renumber", "ii", needs=["fd_close"]),
    _native("fd_seek", "iqii", 0),
    _native("fd_sync", "i", 0),
    _native("fd_tell", "ii", 0),
    _native("fd_write", "iiii", 0),
    _native("path_create_directory", "iii", 0),
    _native("path_filestat_get", "iiiii", 0),
    _native("path_filestat_set_times", "iiiiqqi", 0),
    _native("path_link", "iiiiiii", 0, 4),
    _own("path_open", "iiiiiqqii", 0, needs=["path_open"]),
    _native("path_readlink", "iiiiii", 0),
    _native("path_remove_directory", "iii", 0),
    _native("path_rename", "iiiiii", 0, 3),
    _native("path_symlink", "iiiii", 2),
    _native("path_unlink_file", "iii", 0),
    _own("poll_oneoff", "iiii", needs=["poll_oneoff", "clock_time_get"]),
    WasiFunction("proc_exit", "i", "", answer="exit"),
    _native("proc_raise", "i"),
    WasiFunction("sched_yield", "", needs=("sched_yield",)),
    _own("random_get", "ii", needs=["random_get"]),
    _own("sock_accept", "iii", 0, answer="no_socket"),
    _own("sock_recv", "iiiiii", 0, answer="no_socket"),
    _own("sock_send", "iiiii", 0, answer="no_socket"),
    _native("sock_shutdown", "ii", 0),
)

_UNSTABLE = (
    _own("fd_filestat_get", "ii", 0, answer="fd_filestat_get_unstable", needs=["fd_filestat_get"]),
    _own("fd_seek", "iqii", 0, answer="fd_seek_unstable", needs=["fd_seek"]),
    _own("path_filestat_get", "iiiii", 0, answer="path_filestat_get_unstable", needs=["path_filestat_get"]),
    _own("poll_oneoff", "iiii", answer="poll_oneoff_unstable", needs=["poll_oneoff", "clock_time_get"]),
)

_preview1 = {function.name: function for function in _TABLE}

FUNCTIONS = {
    PREVIEW1: _preview1,
    UNSTABLE: {
        **{name: function for name, function in _preview1.items() if name != "sock_accept"},
        **{function.name: function for function in _UNSTABLE},
    },
}
"""Every function by namespace and name."""
