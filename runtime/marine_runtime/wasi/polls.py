"""The Wasm of `poll_oneoff`: waits in slices, so that Python may handle signals and the time limit holds.

The native function waits where nothing can interrupt it. So it is never asked to wait for longer than the store allows
at once (`patience`, a call of Python, which ends the guest's call when that is due), and asked again until something
has happened. The clocks that it is given are what is left of the guest's.
"""

from __future__ import annotations

from marine_runtime.wasi.errnos import BADF, INVAL, NOMEM
from marine_runtime.wasi.state import DESCRIPTORS, EVENT, EVENTS, SCRATCH

SUBSCRIPTION = 48
"""Bytes of a subscription of preview 1."""

LOCALS = " ".join(f"(local ${name} i32)" for name in ("from", "to", "index", "count", "tag", "fd", "error", "cut"))
LOCALS += " (local $begun i64) (local $patience i64) (local $left i64)"

CLOCKS = """
  ;; The time of a clock. The events lend the eight bytes that the native function writes.
  (func $now (param $clock i32) (param $events i32) (result i64) (local $lent i64) (local $time i64)
    (local.set $lent (i64.load $guest (local.get $events)))
    (drop (call $native.clock_time_get (local.get $clock) (i64.const 0) (local.get $events)))
    (local.set $time (i64.load $guest (local.get $events)))
    (i64.store $guest (local.get $events) (local.get $lent))
    (local.get $time))

  ;; Nanoseconds until a clock among the subscriptions goes off; those that are relative began at `$begun`.
  (func $left (param $at i32) (param $begun i64) (param $events i32) (result i64) (local $time i64) (local $passed i64)
    (local.set $time (i64.load $state offset=24 (local.get $at)))
    (local.set $passed
      ;; check: wasi poll_oneoff: times of the clock
      (if (result i64) (i32.load16_u $state offset=40 (local.get $at))
        (then (call $now (i32.load $state offset=16 (local.get $at)) (local.get $events)))
        (else (i64.sub (call $now (i32.const 1) (local.get $events)) (local.get $begun)))))
    ;; check: wasi poll_oneoff: a time that has passed
    (select (i64.sub (local.get $time) (local.get $passed)) (i64.const 0)
      (i64.gt_u (local.get $time) (local.get $passed))))
"""
"""The part of the function that the generations of WASI share."""


def poll(stride: int) -> str:
    """`poll_oneoff` over subscriptions of `stride` bytes.

    The guest's subscriptions are replaced by translated ones for the time of a native call.
    """
    subscriptions = f"(i32.mul (local.get $2) (i32.const {stride}))"
    restore = f"(memory.copy $guest $state (local.get $0) (i32.const {SCRATCH}) {subscriptions})"
    count = "(i64.extend_i32_u (local.get $2))"
    old = stride - SUBSCRIPTION  # a clock of the old layout begins with a number of its own
    compact = ""
    if old:
        compact = f"""
          (memory.copy $guest $state (local.get $to) (local.get $from) (i32.const 16))
          (memory.copy $guest $state (i32.add (local.get $to) (i32.const 16))
            (i32.add (local.get $from) (select (i32.const 16) (i32.const {16 + old}) (local.get $tag)))
            (i32.const 32))"""

    def each(body: str) -> str:
        """`body` for each subscription, `$from` in the private memory, `$to` in the guest's, with its `$tag`."""
        return f"""
      (local.set $from (i32.const {SCRATCH}))
      (local.set $to (local.get $0))
      (local.set $index (i32.const 0))
      (loop $next
        (local.set $tag (i32.load8_u $state offset=8 (local.get $from)))
        {body.strip()}
        (local.set $from (i32.add (local.get $from) (i32.const {stride})))
        (local.set $to (i32.add (local.get $to) (i32.const {SUBSCRIPTION})))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $index) (local.get $2))))"""

    left = f"(call $left (i32.add (local.get $from) (i32.const {old})) (local.get $begun) (local.get $1))"
    refused = each(f"""
        ;; check: wasi poll_oneoff: kinds
        (if (i32.gt_u (local.get $tag) (i32.const 2)) (then (return (i32.const {INVAL}))))
        ;; An unknown clock or flag would be a trap, and leave translated subscriptions behind.
        (if (local.get $tag)
          (then
            (if (i32.eq (call $native (i32.load $state offset=16 (local.get $from))) (i32.const -1))
              (then (return (i32.const {BADF})))))
          (else
            (local.set $cut (i32.const 1))
            (if (i32.or
                  ;; check: wasi poll_oneoff: clocks
                  (i32.gt_u (i32.load $state offset={16 + old} (local.get $from)) (i32.const 3))
                  ;; check: wasi poll_oneoff: flags
                  (i32.gt_u (i32.load16_u $state offset={40 + old} (local.get $from)) (i32.const 1)))
              (then (return (i32.const {INVAL}))))))""")
    looked = each(f"""
        (if (i32.eqz (local.get $tag)) (then
          (local.set $cut (i32.and (local.get $cut) (i64.lt_u (local.get $patience) {left})))))""")
    translated = each(f"""{compact}
        (if (local.get $tag)
          (then (i32.store $guest offset=16 (local.get $to)
            (call $native (i32.load $state offset=16 (local.get $from)))))
          (else
            (local.set $left {left})
            ;; check: wasi poll_oneoff: waits of one slice
            (if (local.get $cut) (then (local.set $left (local.get $patience))))
            (i64.store $guest offset=24 (local.get $to) (local.get $left))
            (i32.store16 $guest offset=40 (local.get $to) (i32.const 0))))""")
    return f"""
    (if (i32.eqz (local.get $2)) (then (return (i32.const {INVAL}))))
    (if (i32.gt_u (local.get $2) (i32.const {(2**32 - 1) // stride})) (then (return (i32.const {NOMEM}))))
    ;; check: wasi poll_oneoff: number
    (if (i32.gt_u (local.get $2) (i32.const {DESCRIPTORS})) (then (return (i32.const {INVAL}))))
    ;; check: wasi poll_oneoff: subscriptions
    (call $require (local.get $0) (i64.mul {count} (i64.const {stride})) (i32.const 8))
    ;; check: wasi poll_oneoff: events
    (call $require (local.get $1) (i64.mul {count} (i64.const {EVENT})) (i32.const 8))
    (call $require (local.get $3) (i64.const 4) (i32.const 4))  ;; check: wasi poll_oneoff: result
    (memory.copy $state $guest (i32.const {SCRATCH}) (local.get $0) {subscriptions}){refused}
    (if (local.get $cut) (then (local.set $begun (call $now (i32.const 1) (local.get $1)))))
    (loop $again
      ;; Nothing is cut when a clock goes off in this slice, or none is there.
      (if (local.get $cut) (then
      (local.set $patience (call $patience)){looked})){translated}
      (local.set $error (call $native.poll_oneoff (local.get $0) (local.get $1) (local.get $2) (local.get $3)))
      (local.set $count (i32.load $guest (local.get $3)))
      (if (i32.gt_u (local.get $count) (local.get $2)) (then (local.set $count (local.get $2))))
      ;; Events may lie where the subscriptions were, so they are put aside before those come back.
      (memory.copy $state $guest (i32.const {EVENTS}) (local.get $1) (i32.shl (local.get $count) (i32.const 5)))
      {restore}
      (if (local.get $error) (then (return (local.get $error))))
      (if (local.get $cut) (then
        ;; The clocks have gone off early, for us alone.
        (local.set $from (i32.const {EVENTS}))
        (local.set $to (i32.const {EVENTS}))
        (block $done
          (loop $next
            (br_if $done (i32.eqz (local.get $count)))
            ;; check: wasi poll_oneoff: a sleep that was cut short is not over
            (if (i32.load8_u $state offset=10 (local.get $from)) (then
              (memory.copy $state $state (local.get $to) (local.get $from) (i32.const {EVENT}))
              (local.set $to (i32.add (local.get $to) (i32.const {EVENT})))))
            (local.set $from (i32.add (local.get $from) (i32.const {EVENT})))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br $next)))
        (local.set $count (i32.shr_u (i32.sub (local.get $to) (i32.const {EVENTS})) (i32.const 5)))
        (br_if $again (i32.eqz (local.get $count))))))
    (memory.copy $guest $state (local.get $1) (i32.const {EVENTS}) (i32.shl (local.get $count) (i32.const 5)))
    (i32.store $guest (local.get $3) (local.get $count))
    (i32.const 0)"""
