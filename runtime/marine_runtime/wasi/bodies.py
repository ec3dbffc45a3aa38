"""The Wasm of those WASI functions that do more than translate descriptors, and of the helpers of all.

A body sees the parameters as `$0`, `$1`, …, with the descriptors already translated, and calls native functions as
`$native.NAME`. Memory `$guest` is the guest's, `$state` the shim's own (`state` has its map). No body trusts a pointer:
as the native functions do, a body traps when what it reads or writes is misaligned or outside the memory, and looks at
no pointer to nothing.
"""

from __future__ import annotations

from marine_runtime.lazy.data import dataclass
from marine_runtime.wasi import polls
from marine_runtime.wasi.errnos import BADF, INVAL, MFILE, NAMETOOLONG, NOMEM, NOTDIR, NOTSOCK
from marine_runtime.wasi.state import DESCRIPTORS, HEADER, SCRATCH, STANDARD, SUBSCRIPTION_UNSTABLE

_PIECE = 8
_MAX_PIECES = 1 << 17
"""Pieces of captured output that are taken at once, so that empty ones keep nobody waiting. A guest continues behind
them, as after any short write.
"""

_RANDOM = 0x10000
"""Random bytes that are asked of the host at once."""

FILE_TYPE = {"fd_fdstat_get": 0, "fd_filestat_get": 16}
"""The offset at which functions write the type of a file."""

_NEW_STAT, _OLD_STAT = 64, 56


@dataclass(frozen=True, slots=True)
class ShimBody:
    """Declarations of locals, and instructions."""

    code: str
    locals: str = ""


HELPERS = f"""
  ;; Whether `$size` bytes at `$ptr` are inside the guest's memory.
  (func $fits (param $ptr i32) (param $size i64) (result i32)
    (i64.le_u (i64.add (i64.extend_i32_u (local.get $ptr)) (local.get $size))  ;; check: wasi bounds
              (i64.shl (i64.extend_i32_u (memory.size $guest)) (i64.const 16))))

  ;; Trap unless `$size` bytes at `$ptr` are inside the guest's memory and `$ptr` is a multiple of `$align`.
  (func $require (param $ptr i32) (param $size i64) (param $align i32)
    (if (i64.eqz (local.get $size)) (then (return)))
    (if (i32.or
          (i32.and (local.get $ptr) (i32.sub (local.get $align) (i32.const 1)))  ;; check: wasi alignment
          (i32.eqz (call $fits (local.get $ptr) (local.get $size))))
      (then
        (call $refuse (local.get $ptr) (local.get $size)
          (select (local.get $align) (i32.const 0) (call $fits (local.get $ptr) (local.get $size))))
        unreachable)))

  ;; The native descriptor behind a guest's, or -1.
  (func $native (param $fd i32) (result i32)
    ;; check: wasi descriptors beyond the table
    (if (i32.ge_u (local.get $fd) (i32.const {DESCRIPTORS})) (then (return (i32.const -1))))
    (i32.load $state (i32.shl (local.get $fd) (i32.const 3))))

  ;; Write an entry of the table.
  (func $set (param $fd i32) (param $native i32) (param $preopen i32)
    (i32.store $state (i32.shl (local.get $fd) (i32.const 3)) (local.get $native))
    (i32.store $state offset=4 (i32.shl (local.get $fd) (i32.const 3)) (local.get $preopen)))

  ;; The lowest free guest descriptor, or -1.
  (func $free (result i32) (local $fd i32)
    (loop $next
      (if (i32.eq (call $native (local.get $fd)) (i32.const -1)) (then (return (local.get $fd))))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $fd) (i32.const {DESCRIPTORS}))))
    (i32.const -1))

  ;; The number of the preopened directory behind a guest descriptor, or -1.
  (func $preopen (param $fd i32) (result i32)
    (if (i32.eq (call $native (local.get $fd)) (i32.const -1)) (then (return (i32.const -1))))
    (i32.load $state offset=4 (i32.shl (local.get $fd) (i32.const 3))))
"""


PRINT = f"""
  ;; Print: the pieces that can be read, from the first one with content on, go to the embedder.
  (func $print (param $fd i32) (param $at i32) (param $left i32) (param $written i32) (result i32)
    (local $first i32) (local $count i32)
    (if (i32.ge_u (local.get $left) (i32.const {2**32 // _PIECE})) (then (return (i32.const {NOMEM}))))
    (block $found
      (loop $next
        (if (i32.eqz (local.get $left)) (then
          (call $require (local.get $written) (i64.const 4) (i32.const 4))
          (i32.store $guest (local.get $written) (i32.const 0))
          (return (i32.const 0))))
        (call $require (local.get $at) (i64.const {_PIECE}) (i32.const 4))  ;; check: wasi fd_write: pieces
        (br_if $found (i32.load $guest offset=4 (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const {_PIECE})))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    ;; check: wasi fd_write: content
    (call $require (i32.load $guest (local.get $at)) (i64.load32_u $guest offset=4 (local.get $at)) (i32.const 1))
    (local.set $first (local.get $at))
    ;; What is wrong with a later piece is told once it is the first.
    (block $done
      (loop $next
        (local.set $at (i32.add (local.get $at) (i32.const {_PIECE})))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $done (i32.eq (local.get $count) (local.get $left)))
        (br_if $done (i32.eq (local.get $count) (i32.const {_MAX_PIECES})))  ;; check: wasi fd_write: number of pieces
        (br_if $done (i32.eqz (call $fits (local.get $at) (i64.const {_PIECE}))))  ;; check: wasi fd_write: later pieces
        ;; check: wasi fd_write: content of later pieces
        (br_if $next (call $fits
          (i32.load $guest (local.get $at)) (i64.load32_u $guest offset=4 (local.get $at))))))
    (call $require (local.get $written) (i64.const 4) (i32.const 4))  ;; check: wasi fd_write: address of the count
    (i32.store $guest (local.get $written) (call $capture (local.get $fd) (local.get $first) (local.get $count)))
    (i32.const 0))
"""
"""`fd_write` of captured descriptors; a service without any has no use for it."""


def _require(ptr: str, size: int | str, align: int = 1) -> str:
    amount = f"(i64.const {size})" if isinstance(size, int) else size
    return f"(call $require {ptr} {amount} (i32.const {align}))"


def _header(field: int) -> str:
    """A word of the header: 0 number of variables, 1 their size, 2 offsets, 3 names of preopens, 4 variables."""
    return f"(i32.load $state (i32.const {HEADER + 4 * field}))"


def _preopen(error: int) -> str:
    """The place of a directory's name in the header as `$entry`; other open descriptors are an `error`."""
    return f"""
    (if (i32.eq (call $native (local.get $0)) (i32.const -1)) (then (return (i32.const {BADF}))))
    (local.set $entry (call $preopen (local.get $0)))
    ;; check: wasi preopens: other descriptors
    (if (i32.eq (local.get $entry) (i32.const -1)) (then (return (i32.const {error}))))
    (local.set $entry (i32.add {_header(3)} (i32.shl (local.get $entry) (i32.const 3))))"""


# The native function writes eight bytes more than an old guest reserves. The start of the guest's memory is lent to
# it and restored, which works wherever the guest's own structure lies.
_STAT = """
    {fits}
    (memory.copy $state $guest (i32.const {scratch}) (i32.const 0) (i32.const {new}))
    (local.set $error (call $native.{name} {arguments} (i32.const 0)))
    (memory.copy $state $guest (i32.const {result}) (i32.const 0) (i32.const {new}))
    (memory.copy $guest $state (i32.const 0) (i32.const {scratch}) (i32.const {new}))
    (if (local.get $error) (then (return (local.get $error))))
    (memory.copy $guest $state {ptr} (i32.const {result}) (i32.const 20))
    (i32.store $guest offset=20 {ptr} (i32.load $state (i32.const {links})))
    (memory.copy $guest $state (i32.add {ptr} (i32.const 24)) (i32.const {size}) (i32.const 32))
    (i32.const 0)"""


def _old_stat(name: str, parameters: int) -> ShimBody:
    """Attributes of a file in the layout of `wasi_unstable`, whose number of links has 32 bits."""
    ptr, result = f"(local.get ${parameters})", SCRATCH + _NEW_STAT
    code = _STAT.format(
        fits=_require(ptr, _OLD_STAT, 8),
        scratch=SCRATCH,
        new=_NEW_STAT,
        name=name,
        arguments=" ".join(f"(local.get ${index})" for index in range(parameters)),
        result=result,
        ptr=ptr,
        links=result + 24,
        size=result + 32,
    )
    return ShimBody(code, "(local $error i32)")


BODIES = {
    "nothing": ShimBody("(i32.const 0)"),
    # The native function refuses codes from 126 on.
    "exit": ShimBody("(call $exit (local.get $0)) unreachable"),
    "no_socket": ShimBody(f"(i32.const {NOTSOCK})"),
    "args_sizes_get": ShimBody(f"""
    {_require("(local.get $1)", 4, 4)}  ;; check: wasi args_sizes_get: second address
    {_require("(local.get $0)", 4, 4)}
    (i32.store $guest (local.get $1) (i32.const 0))
    (i32.store $guest (local.get $0) (i32.const 0))
    (i32.const 0)"""),
    "environ_sizes_get": ShimBody(f"""
    {_require("(local.get $1)", 4, 4)}
    {_require("(local.get $0)", 4, 4)}  ;; check: wasi environ_sizes_get: first address
    (i32.store $guest (local.get $1) {_header(1)})
    (i32.store $guest (local.get $0) {_header(0)})
    (i32.const 0)"""),
    "environ_get": ShimBody(
        f"""
    ;; check: wasi environ_get: addresses
    {_require("(local.get $0)", f"(i64.shl (i64.extend_i32_u {_header(0)}) (i64.const 2))", 4)}
    {_require("(local.get $1)", f"(i64.extend_i32_u {_header(1)})")}  ;; check: wasi environ_get: text
    (local.set $offset {_header(2)})
    (local.set $left {_header(0)})
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $start (i32.load $state (local.get $offset)))
        (local.set $end (select {_header(1)} (i32.load $state offset=4 (local.get $offset))
          (i32.eq (local.get $left) (i32.const 1))))
        (i32.store $guest (local.get $0) (i32.add (local.get $1) (local.get $start)))
        (memory.copy $guest $state
          (i32.add (local.get $1) (local.get $start))
          (i32.add {_header(4)} (local.get $start))
          (i32.sub (local.get $end) (local.get $start)))
        (local.set $0 (i32.add (local.get $0) (i32.const 4)))
        (local.set $offset (i32.add (local.get $offset) (i32.const 4)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.const 0)""",
        "(local $offset i32) (local $left i32) (local $start i32) (local $end i32)",
    ),
    "fd_readdir": ShimBody(f"(call $listing {' '.join(f'(local.get ${index})' for index in range(5))})"),
    "fd_close": ShimBody(
        f"""
    (local.set $old (call $native (local.get $0)))
    ;; check: wasi fd_close: unknown descriptor
    (if (i32.eq (local.get $old) (i32.const -1)) (then (return (i32.const {BADF}))))
    (call $set (local.get $0) (i32.const -1) (i32.const -1))
    (if (i32.lt_u (local.get $old) (i32.const {STANDARD})) (then (return (i32.const 0))))
    (call $native.fd_close (local.get $old))""",
        "(local $old i32)",
    ),
    # The native table stays as it is: only the guest's own entries move.
    "fd_renumber": ShimBody(
        f"""
    (local.set $from (call $native (local.get $0)))
    (local.set $old (call $native (local.get $1)))
    ;; check: wasi fd_renumber: unknown descriptors
    (if (i32.or (i32.eq (local.get $from) (i32.const -1)) (i32.eq (local.get $old) (i32.const -1)))
      (then (return (i32.const {BADF}))))
    (if (i32.eq (local.get $0) (local.get $1)) (then (return (i32.const 0))))
    (call $set (local.get $1) (local.get $from) (call $preopen (local.get $0)))
    (call $set (local.get $0) (i32.const -1) (i32.const -1))
    (if (i32.ge_u (local.get $old) (i32.const {STANDARD})) (then (drop (call $native.fd_close (local.get $old)))))
    (i32.const 0)""",
        "(local $from i32) (local $old i32)",
    ),
    "fd_prestat_get": ShimBody(
        f"""{_preopen(BADF)}
    {_require("(local.get $1)", 8, 4)}  ;; check: wasi fd_prestat_get: address
    (i32.store $guest (local.get $1) (i32.const 0))
    (i32.store $guest offset=4 (local.get $1) (i32.load $state offset=4 (local.get $entry)))
    (i32.const 0)""",
        "(local $entry i32)",
    ),
    "fd_prestat_dir_name": ShimBody(
        f"""{_preopen(NOTDIR)}
    (local.set $size (i32.load $state offset=4 (local.get $entry)))
    ;; check: wasi fd_prestat_dir_name: room
    (if (i32.lt_u (local.get $2) (local.get $size)) (then (return (i32.const {NAMETOOLONG}))))
    {_require("(local.get $1)", "(i64.extend_i32_u (local.get $size))")}  ;; check: wasi fd_prestat_dir_name: address
    (memory.copy $guest $state (local.get $1) (i32.load $state (local.get $entry)) (local.get $size))
    (i32.const 0)""",
        "(local $entry i32) (local $size i32)",
    ),
    # A place for the descriptor is found first: what the native function opened could not be forgotten afterwards.
    "path_open": ShimBody(
        f"""
    {_require("(local.get $8)", 4, 4)}  ;; check: wasi path_open: address
    (local.set $slot (call $free))
    ;; check: wasi path_open: free descriptor
    (if (i32.eq (local.get $slot) (i32.const -1)) (then (return (i32.const {MFILE}))))
    (local.set $error (call $native.path_open {" ".join(f"(local.get ${index})" for index in range(9))}))
    (if (local.get $error) (then (return (local.get $error))))
    (call $set (local.get $slot) (i32.load $guest (local.get $8)) (i32.const -1))
    (i32.store $guest (local.get $8) (local.get $slot))
    (i32.const 0)""",
        "(local $slot i32) (local $error i32)",
    ),
    # The native function takes so much memory of the host as it is asked for, before it looks at the address.
    "random_get": ShimBody(
        f"""
    {_require("(local.get $0)", "(i64.extend_i32_u (local.get $1))")}  ;; check: wasi random_get: address
    (loop $next
      (local.set $part (select (local.get $1) (i32.const {_RANDOM})
        (i32.lt_u (local.get $1) (i32.const {_RANDOM}))))
      (local.set $error (call $native.random_get (local.get $0) (local.get $part)))
      (if (local.get $error) (then (return (local.get $error))))
      (local.set $0 (i32.add (local.get $0) (local.get $part)))
      (local.set $1 (i32.sub (local.get $1) (local.get $part)))
      (br_if $next (local.get $1)))
    (i32.const 0)""",
        "(local $part i32) (local $error i32)",
    ),
    "poll_oneoff": ShimBody(polls.poll(polls.SUBSCRIPTION), polls.LOCALS),
    "poll_oneoff_unstable": ShimBody(polls.poll(SUBSCRIPTION_UNSTABLE), polls.LOCALS),
    "fd_filestat_get_unstable": _old_stat("fd_filestat_get", 1),
    "path_filestat_get_unstable": _old_stat("path_filestat_get", 4),
    # There 0, 1, 2 are current, end, start; here they are start, current, end.
    "fd_seek_unstable": ShimBody(f"""
    (if (i32.gt_u (local.get $2) (i32.const 2)) (then (return (i32.const {INVAL}))))
    (call $native.fd_seek (local.get $0) (local.get $1)
      (i32.rem_u (i32.add (local.get $2) (i32.const 1)) (i32.const 3)) (local.get $3))"""),
}
"""Bodies by the name that the table of functions gives them."""
