"""The part of the worker (`host_text`) that lowers packed results into the guest's memory."""

from __future__ import annotations

from marine_runtime.abi.helpers import BYTES_TAG
from marine_runtime.adapters.host_programs import IN_COLUMNS, LIST, STRUCT, TEXT
from marine_runtime.adapters.staging import FREE, SLACK, Fault

RESULTS = f"""\
  ;; Lower the packed value from $block to $end, and make it the result of the guest.
  (func $place (param $program i32) (param $block i32) (param $end i32)
    (local $has_length i32) (local $state i32) (local $room i32) (local $slot i32) (local $cursor i32)
    (local $number i32) (local $extents i32) (local $ptr i32) (local $length i32)
    (local.set $has_length (i32.and (local.get $program) (i32.const 1)))
    (local.set $program (i32.and (local.get $program) (i32.const -2)))
    (local.set $number (i32.add (call $kind (local.get $program)) (call $counts (local.get $program))))
    (local.set $room (i32.add (i32.const 16) (i32.shl (local.get $number) (i32.const 3))))
    ;; check: host room of a result
    (i32.store $staging (i32.const {FREE}) (i32.add (local.get $end) (i32.const {SLACK})))
    (local.set $state (call $take (i64.extend_i32_u (i32.add (local.get $room) (call $content (local.get $program))))))
    (if (i32.eqz (local.get $state))
      (then (call $fault (i32.const {int(Fault.STAGING)}) (i64.extend_i32_u (local.get $room))
        (i64.const 0) (i64.const 0))))
    (i32.store $staging (local.get $state) (local.get $block))
    (i32.store $staging offset=4 (local.get $state) (i32.add (local.get $state) (local.get $room)))
    (local.set $extents (i32.add (local.get $block) (call $row_offset (local.get $program))))
    (local.set $cursor (i32.add (local.get $block) (call $size (local.get $program))))
    (local.set $slot (i32.add (local.get $state) (i32.const 16)))
    (block $read (loop $again
      (br_if $read (i32.eqz (local.get $number)))
      (if (i32.gt_u (local.get $number) (call $counts (local.get $program)))
        (then
          (i32.store $staging (local.get $slot) (local.get $cursor))
          (local.set $cursor (i32.add (local.get $cursor) (i32.load $staging align=1 (local.get $extents)))))
        (else (i32.store $staging (local.get $slot) (i32.load $staging align=1 (local.get $extents)))))
      (local.set $extents (i32.add (local.get $extents) (i32.const 4)))
      (local.set $slot (i32.add (local.get $slot) (i32.const 8)))
      (local.set $number (i32.sub (local.get $number) (i32.const 1)))
      (br $again)))
    (i32.store $staging offset=8 (local.get $state) (local.get $cursor))
    (call $lower (call $part (local.get $program)) (local.get $state))
    (local.set $length)
    (local.set $ptr)
    (call $set_result_ptr (local.get $ptr))
    (if (local.get $has_length) (then (call $set_result_size (local.get $length)))))

  (func $new_block (param $size i64) (param $tag i32) (result i32)
    (local $ptr i32)
    (if (i64.gt_u (local.get $size) (i64.const 0xffffffff))
      (then (call $fault (i32.const {int(Fault.TOO_LARGE)}) (local.get $size) (i64.const 0) (i64.const 0))))
    (local.set $ptr (call $allocate (i32.wrap_i64 (local.get $size)) (local.get $tag)))
    (if (i32.eqz (local.get $ptr))  ;; check: host failed allocation for a result
      (then (call $fault (i32.const {int(Fault.ALLOCATE)}) (local.get $size) (i64.const 0) (i64.const 0))))
    ;; check: host block of a result inside the memory
    (if (i64.gt_u (i64.add (i64.extend_i32_u (local.get $ptr)) (local.get $size))
          (i64.shl (i64.extend_i32_u (memory.size $guest)) (i64.const 16)))
      (then (call $fault (i32.const {int(Fault.BOUNDS)}) (i64.extend_i32_u (local.get $ptr)) (local.get $size)
        (i64.shl (i64.extend_i32_u (memory.size $guest)) (i64.const 16)))))
    (local.get $ptr))

  ;; What the slot of a value that is not flat holds.
  (func $lower (param $node i32) (param $state i32) (result i32 i32)
    (local $kind i32) (local $count i32) (local $from i32) (local $ptr i32) (local $inner i32) (local $end i32)
    (local $at i32) (local $bytes i64)
    (local.set $kind (call $kind (local.get $node)))
    (if (i32.eq (local.get $kind) (i32.const {STRUCT}))
      (then (return (call $lower_record (local.get $node) (local.get $state)) (i32.const 0))))
    (if (i32.ne (call $row_offset (local.get $node)) (i32.const {IN_COLUMNS}))
      (then (local.set $count (i32.load $staging align=1
        (i32.add (i32.load $staging (local.get $state)) (call $row_offset (local.get $node))))))
      (else
        (if (i32.eq (local.get $kind) (i32.const {TEXT}))
          (then (local.set $count (call $until
            (i32.load $staging (i32.add (local.get $state) (call $content (local.get $node))))
            (i32.load $staging (i32.add (local.get $state) (call $more (local.get $node)))))))
          (else (local.set $count (i32.load $staging align=1
            (call $next (i32.add (local.get $state) (call $counts (local.get $node))) (i32.const 4))))))))
    (if (i32.ne (local.get $kind) (i32.const {LIST}))
      (then
        (local.set $inner (i32.add (local.get $state) (select (call $content (local.get $node)) (i32.const 8)
          (call $content (local.get $node)))))
        (local.set $from (call $next (local.get $inner) (i32.add (local.get $count) (i32.and
          (i32.eq (local.get $kind) (i32.const {TEXT}))
          (i32.ne (call $content (local.get $node)) (i32.const 0))))))
        (if (i32.eqz (local.get $count))
          (then (return (call $allocate (i32.const 0) (i32.const {BYTES_TAG})) (i32.const 0))))
        (local.set $ptr (call $new_block (i64.extend_i32_u (local.get $count)) (i32.const {BYTES_TAG})))
        (memory.copy $guest $staging (local.get $ptr) (local.get $from) (local.get $count))
        (return (local.get $ptr) (local.get $count))))
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0) (i32.const 0))))
    (local.set $inner (call $part (local.get $node)))
    (local.set $bytes (i64.mul (i64.extend_i32_u (local.get $count)) (i64.extend_i32_u (call $size (local.get $node)))))
    (local.set $ptr (call $new_block (local.get $bytes) (call $more (local.get $node))))
    (if (i32.eqz (call $kind (local.get $inner)))
      (then
        (memory.copy $guest $staging (local.get $ptr)
          (call $next (i32.add (local.get $state) (call $content (local.get $inner))) (i32.wrap_i64 (local.get $bytes)))
          (i32.wrap_i64 (local.get $bytes)))
        (return (local.get $ptr) (local.get $count))))
    (local.set $at (local.get $ptr))
    (local.set $end (i32.add (local.get $ptr) (i32.wrap_i64 (local.get $bytes))))
    (loop $again
      (call $lower (local.get $inner) (local.get $state))
      (local.set $from)
      (local.set $kind)
      (i32.store $guest align=1 (local.get $at) (local.get $kind))
      (if (i32.eq (call $size (local.get $node)) (i32.const 8))
        (then (i32.store $guest offset=4 align=1 (local.get $at) (local.get $from))))
      (local.set $at (i32.add (local.get $at) (call $size (local.get $node))))
      (br_if $again (i32.ne (local.get $at) (local.get $end))))
    (local.get $ptr) (local.get $count))

  ;; The fields first, then the body, which is built in staging.
  (func $lower_record (param $node i32) (param $state i32) (result i32)
    (local $body i32) (local $inner i32) (local $end i32) (local $part i32) (local $size i32) (local $to i32)
    (local $ptr i32) (local $length i32)
    (local.set $body (call $next (i32.add (local.get $state) (i32.const 4)) (call $size (local.get $node))))
    (local.set $inner (i32.add (local.get $node) (i32.const 24)))
    (local.set $end (i32.add (local.get $inner) (i32.shl (call $more (local.get $node)) (i32.const 3))))
    (block $done (loop $again
      (br_if $done (i32.eq (local.get $inner) (local.get $end)))
      (local.set $part (i32.load $programs (local.get $inner)))
      (local.set $to (i32.add (local.get $body) (i32.load $programs offset=4 (local.get $inner))))
      (if (i32.eqz (call $kind (local.get $part)))
        (then
          (local.set $size (call $size (local.get $part)))
          (memory.copy $staging $staging (local.get $to)
            (if (result i32) (call $content (local.get $part))
              (then (call $next (i32.add (local.get $state) (call $content (local.get $part))) (local.get $size)))
              (else (i32.add (i32.load $staging (local.get $state)) (call $row_offset (local.get $part)))))
            (local.get $size)))
        (else
          (call $lower (local.get $part) (local.get $state))
          (local.set $length)
          (local.set $ptr)
          (i32.store $staging align=1 (local.get $to) (local.get $ptr))
          (if (i32.ne (call $kind (local.get $part)) (i32.const {STRUCT}))
            (then (i32.store $staging offset=4 align=1 (local.get $to) (local.get $length))))))
      (local.set $inner (i32.add (local.get $inner) (i32.const 8)))
      (br $again)))
    (local.set $ptr (call $new_block (i64.extend_i32_u (call $size (local.get $node))) (i32.const {BYTES_TAG})))
    (memory.copy $guest $staging (local.get $ptr) (local.get $body) (call $size (local.get $node)))
    (i32.store $staging offset=4 (local.get $state) (local.get $body))
    (local.get $ptr))

  ;; The bytes before a separator, which is there.
  (func $until (param $from i32) (param $separator i32) (result i32)
    (local $at i32) (local $every i64)
    (local.set $at (local.get $from))
    (local.set $every (i64.mul (i64.extend_i32_u (local.get $separator)) (i64.const 0x0101010101010101)))
    (loop $again
      (if (i32.eqz (call $zero (i64.xor (i64.load $staging align=1 (local.get $at)) (local.get $every))))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br $again))))
    (loop $again
      (if (i32.ne (i32.load8_u $staging (local.get $at)) (local.get $separator))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $again))))
    (i32.sub (local.get $at) (local.get $from)))
"""
