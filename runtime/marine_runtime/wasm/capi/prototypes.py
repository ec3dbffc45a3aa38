"""The functions and layouts of Wasmtime's C API that the runtime uses: one table, in the terms of its documentation.

A prototype is a string with a character for each value, the result first: `p` a pointer, `s` a `size_t`, `b` a `bool`,
`y` a `uint8_t`, `i` an `int`, `u` a `uint32_t`, `q` an `int64_t`, `Q` a `uint64_t`, `v` nothing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from marine_runtime.lazy.typing import Any

VALUE_SIZE = 16
"""Bytes of a `wasmtime_val_raw_t`."""

EXTERN_SIZE, EXTERN_OF = 32, 8
"""Bytes of a `wasmtime_extern_t`, and where the function, memory or table in it begins. The kind is its first byte."""

VALUE_OF, VALUE_ROOM = 8, 64
"""The place of the value in a `wasmtime_val_t`, which begins with its kind, and bytes that are enough for one."""

FUNC_SIZE = INSTANCE_SIZE = 16
"""Bytes of a `wasmtime_func_t`, and of a `wasmtime_instance_t`."""

STRUCTURES: Mapping[str, tuple[int | None, Mapping[str, int]]] = {
    "wasmtime_val_raw_t": (VALUE_SIZE, {}),
    "wasmtime_func_t": (FUNC_SIZE, {}),
    "wasmtime_instance_t": (INSTANCE_SIZE, {}),
    "wasmtime_extern_t": (EXTERN_SIZE, {"kind": 0, "of": EXTERN_OF}),
    "wasmtime_val_t": (None, {"kind": 0, "of": VALUE_OF}),
    "wasm_byte_vec_t": (16, {"size": 0, "data": 8}),
    "wasm_valtype_vec_t": (16, {"size": 0, "data": 8}),
    "wasm_limits_t": (8, {"min": 0, "max": 4}),
}
"""Sizes of structures, where they matter, and the offsets of their fields."""

CALLS: Mapping[str, str] = {
    "wasm_byte_vec_delete": "vp",
    "wasm_config_new": "p",
    "wasm_engine_delete": "vp",
    "wasm_engine_new_with_config": "pp",
    "wasm_functype_delete": "vp",
    "wasm_functype_new": "ppp",
    "wasm_memorytype_delete": "vp",
    "wasm_memorytype_new": "pp",
    "wasm_trap_delete": "vp",
    "wasm_trap_message": "vpp",
    "wasm_valtype_new": "py",
    "wasm_valtype_vec_new": "vpsp",
    "wasmtime_context_get_fuel": "ppp",
    "wasmtime_context_set_epoch_deadline": "vpQ",
    "wasmtime_context_set_fuel": "ppQ",
    "wasmtime_config_async_stack_size_set": "vps",
    "wasmtime_config_consume_fuel_set": "vpb",
    "wasmtime_config_epoch_interruption_set": "vpb",
    "wasmtime_config_max_wasm_stack_set": "vps",
    "wasmtime_config_memory_may_move_set": "vpb",
    "wasmtime_config_parallel_compilation_set": "vpb",
    "wasmtime_config_strategy_set": "vpy",
    "wasmtime_config_wasm_multi_memory_set": "vpb",
    "wasmtime_engine_increment_epoch": "vp",
    "wasmtime_error_delete": "vp",
    "wasmtime_error_exit_status": "bpp",
    "wasmtime_error_message": "vpp",
    "wasmtime_func_call_unchecked": "ppppsp",
    "wasmtime_func_new_unchecked": "vpppppp",
    "wasmtime_instance_export_get": "bpppsp",
    "wasmtime_instance_new": "ppppspp",
    "wasmtime_memory_data": "ppp",
    "wasmtime_memory_data_size": "spp",
    "wasmtime_memory_grow": "pppQp",
    "wasmtime_memory_new": "pppp",
    "wasmtime_module_delete": "vp",
    "wasmtime_module_deserialize": "pppsp",
    "wasmtime_module_deserialize_file": "pppp",
    "wasmtime_module_new": "pppsp",
    "wasmtime_module_serialize": "ppp",
    "wasmtime_module_validate": "ppps",
    "wasmtime_store_context": "pp",
    "wasmtime_store_delete": "vp",
    "wasmtime_store_limiter": "vpqqqqq",
    "wasmtime_store_new": "pppp",
    "wasmtime_table_grow": "pppQpp",
    "wasmtime_trap_new": "pps",
    "wasmtime_wat2wasm": "ppsp",
}
"""Functions without which there are no fast calls."""

WASI: Mapping[str, str] = {
    "wasi_config_inherit_stderr": "vp",
    "wasi_config_inherit_stdout": "vp",
    "wasi_config_new": "p",
    "wasmtime_context_set_wasi": "ppp",
    "wasmtime_linker_define_wasi": "pp",
    "wasmtime_linker_delete": "vp",
    "wasmtime_linker_get": "bpppspsp",
    "wasmtime_linker_new": "pp",
}
"""Functions of WASI, as necessary as `CALLS`."""

PREOPEN = "wasi_config_preopen_dir"
PREOPENS = ("bpppb", "bpppss")
"""The prototypes of `wasi_config_preopen_dir`: with one permission since 50, before with those of directories and
files."""

DEADLINE: Mapping[str, str] = {
    "wasmtime_error_new": "pp",
    "wasmtime_store_epoch_deadline_callback": "vpppp",
}
"""Functions without which Python can't interrupt a guest."""

CREATOR: Mapping[str, str] = {
    "wasmtime_config_host_memory_creator_set": "vpp",
    "wasmtime_config_memory_init_cow_set": "vpb",
    "wasmtime_error_new": "pp",
}
"""Functions without which memories are made by Wasmtime."""

CREATOR_STRUCTURES: Mapping[str, tuple[int | None, Mapping[str, int]]] = {
    "wasmtime_memory_creator_t": (24, {}),
    "wasmtime_linear_memory_t": (32, {}),
}

PROTOTYPES: Mapping[str, str] = {**CALLS, **WASI, **DEADLINE, **CREATOR}
"""All of them, but for `PREOPEN`."""

KINDS: Mapping[str, Any] = {
    "p": ctypes.c_void_p,
    "s": ctypes.c_size_t,
    "b": ctypes.c_bool,
    "y": ctypes.c_uint8,
    "i": ctypes.c_int,
    "u": ctypes.c_uint32,
    "q": ctypes.c_int64,
    "Q": ctypes.c_uint64,
    "v": None,
}
"""Types by their character."""
