"""The part of the worker (`host_text`) that packs arguments out of the guest's memory."""

from __future__ import annotations

from marine_runtime.abi.measures import PART
from marine_runtime.abi.packed import NO_TEXT
from marine_runtime.adapters.host_programs import BYTES, IN_COLUMNS, LIST, STRUCT, TEXT
from marine_runtime.adapters.staging import FREE
from marine_runtime.wasm.memory import FACTOR, FLOOR

ARGUMENTS = f"""\
  ;; The packed value at $ptr; 0 when the host has to look at it itself, because it is wrong or too large.
  (func $pack (param $program i32) (param $ptr i32) (param $count i32) (result i32)
    (local $free i32) (local $state i32) (local $block i32) (local $total i64) (local $limit i64) (local $number i32)
    (local $cursor i32) (local $slot i32) (local $columns i32) (local $extents i32) (local $slots i32)
    (local.set $program (i32.and (local.get $program) (i32.const -2)))
    (local.set $free (i32.load $staging (i32.const {FREE})))
    (local.set $columns (call $kind (local.get $program)))
    (local.set $slots (i32.add (local.get $columns) (call $counts (local.get $program))))
    (local.set $cursor (i32.add (i32.const 16) (i32.shl (local.get $slots) (i32.const 3))))
    (local.set $state (call $take (i64.extend_i32_u (local.get $cursor))))
    (if (i32.eqz (local.get $state)) (then (return (i32.const 0))))
    (memory.fill $staging (local.get $state) (i32.const 0) (local.get $cursor))
    (global.set $bad (i32.const 0))
    (local.set $limit (i64.mul (i64.const {FACTOR << 16}) (i64.extend_i32_u (memory.size $guest))))
    (global.set $left (select (local.get $limit) (i64.const {FLOOR})
      (i64.gt_u (local.get $limit) (i64.const {FLOOR}))))
    (call $measure (i32.load $programs offset=24 (local.get $program)) (local.get $ptr) (local.get $count)
      (i32.const 0) (local.get $state))
    (block $unusual
      (br_if $unusual (global.get $bad))  ;; check: host verdict on an argument
      (local.set $total (i64.add (i64.extend_i32_u (call $size (local.get $program)))
        (i64.load $staging offset=8 (local.get $state))))
      (local.set $slot (i32.add (local.get $state) (i32.const 16)))
      (local.set $number (local.get $columns))
      (block $added (loop $again
        (br_if $added (i32.eqz (local.get $number)))
        (local.set $total (i64.add (local.get $total) (i64.load $staging (local.get $slot))))
        (local.set $slot (i32.add (local.get $slot) (i32.const 8)))
        (local.set $number (i32.sub (local.get $number) (i32.const 1)))
        (br $again)))
      (local.set $block (call $take (local.get $total)))
      (br_if $unusual (i32.eqz (local.get $block)))
      (i32.store $staging (local.get $state) (local.get $block))
      (local.set $extents (i32.add (local.get $block) (call $row_offset (local.get $program))))
      (local.set $cursor (i32.add (local.get $block) (call $size (local.get $program))))
      (local.set $slot (i32.add (local.get $state) (i32.const 16)))
      (local.set $number (local.get $slots))
      (block $written (loop $again
        (br_if $written (i32.eqz (local.get $number)))
        (i32.store $staging (local.get $extents) (i32.load $staging (local.get $slot)))
        (if (i32.gt_u (local.get $number) (call $counts (local.get $program)))
          (then
            (i32.store $staging (local.get $slot) (local.get $cursor))
            (local.set $cursor (i32.add (local.get $cursor) (i32.load $staging (local.get $extents))))))
        (local.set $extents (i32.add (local.get $extents) (i32.const 4)))
        (local.set $slot (i32.add (local.get $slot) (i32.const 8)))
        (local.set $number (i32.sub (local.get $number) (i32.const 1)))
        (br $again)))
      (i32.store $staging offset=8 (local.get $state) (local.get $cursor))
      (call $write (i32.load $programs offset=24 (local.get $program)) (local.get $ptr) (local.get $count)
        (local.get $state))
      (return (local.get $block)))
    (i32.store $staging (i32.const {FREE}) (local.get $free))
    (i32.const 0))

  ;; 1 for a block outside the guest's memory. The pointer of what is empty means nothing.
  (func $outside (param $ptr i32) (param $size i64) (result i32)
    (i32.and
      (i64.ne (local.get $size) (i64.const 0))
      (i64.gt_u
        (i64.add (i64.extend_i32_u (local.get $ptr)) (local.get $size))
        (i64.shl (i64.extend_i32_u (memory.size $guest)) (i64.const 16)))))

  ;; Check a value, and add what it takes to the extents.
  (func $measure (param $node i32) (param $ptr i32) (param $count i32) (param $is_part i32) (param $state i32)
    (local $kind i32) (local $bytes i64) (local $inner i32) (local $end i32)
    (local.set $kind (call $kind (local.get $node)))
    (local.set $bytes (i64.mul (i64.extend_i32_u (local.get $count)) (i64.extend_i32_u (call $size (local.get $node)))))
    (if (i32.eq (local.get $kind) (i32.const {STRUCT}))
      (then (local.set $bytes (i64.extend_i32_u (call $size (local.get $node))))))
    (if (call $outside (local.get $ptr) (local.get $bytes))  ;; check: host bounds of an argument
      (then (global.set $bad (i32.const 1))))
    (if (local.get $is_part)  ;; check: host parts are counted
      (then
        (global.set $left (i64.sub (global.get $left) (i64.add (local.get $bytes) (i64.const {PART}))))
        (global.set $bad (i32.or (global.get $bad) (i64.lt_s (global.get $left) (i64.const 0))))))
    (if (global.get $bad) (then (return)))
    (if (i32.eq (local.get $kind) (i32.const {STRUCT}))
      (then
        (local.set $inner (i32.add (local.get $node) (i32.const 24)))
        (local.set $end (i32.add (local.get $inner) (i32.shl (call $more (local.get $node)) (i32.const 3))))
        (block $done (loop $again
          (br_if $done (i32.eq (local.get $inner) (local.get $end)))
          (call $measure_slot (i32.load $programs (local.get $inner))
            (i32.add (local.get $ptr) (i32.load $programs offset=4 (local.get $inner))) (local.get $state))
          (local.set $inner (i32.add (local.get $inner) (i32.const 8)))
          (br $again)))
        (return)))
    (if (i32.eq (local.get $kind) (i32.const {LIST}))
      (then
        (if (call $counts (local.get $node))
          (then (call $add (i32.add (local.get $state) (call $counts (local.get $node))) (i64.const 4))))
        (local.set $inner (call $part (local.get $node)))
        (if (i32.eqz (call $kind (local.get $inner)))
          (then
            (call $add (i32.add (local.get $state) (call $content (local.get $inner))) (local.get $bytes))
            (return)))
        (local.set $end (i32.add (local.get $ptr) (i32.wrap_i64 (local.get $bytes))))
        (if (i32.eqz (local.get $count)) (then (return)))
        (loop $again
          (call $measure_slot (local.get $inner) (local.get $ptr) (local.get $state))
          (local.set $ptr (i32.add (local.get $ptr) (call $size (local.get $node))))
          (br_if $again (i32.and (i32.ne (local.get $ptr) (local.get $end)) (i32.eqz (global.get $bad)))))
        (return)))
    (if (i32.ne (call $row_offset (local.get $node)) (i32.const {IN_COLUMNS}))
      (then (call $add (i32.add (local.get $state) (i32.const 8)) (local.get $bytes)) (return)))
    (call $add (i32.add (local.get $state) (call $content (local.get $node))) (local.get $bytes))
    (if (i32.eq (local.get $kind) (i32.const {BYTES}))
      (then (call $add (i32.add (local.get $state) (call $counts (local.get $node))) (i64.const 4)) (return)))
    (call $add (i32.add (local.get $state) (call $content (local.get $node))) (i64.const 1))
    (if (call $holds_nul (local.get $ptr) (local.get $count))
      (then (i32.store $staging (i32.add (local.get $state) (call $more (local.get $node))) (i32.const {NO_TEXT})))))

  (func $measure_slot (param $node i32) (param $at i32) (param $state i32)
    (local $kind i32)
    (local.set $kind (call $kind (local.get $node)))
    (if (i32.eqz (local.get $kind))
      (then
        (if (call $content (local.get $node))
          (then (call $add (i32.add (local.get $state) (call $content (local.get $node)))
            (i64.extend_i32_u (call $size (local.get $node))))))
        (return)))
    (call $measure (local.get $node) (i32.load $guest align=1 (local.get $at))
      (if (result i32) (i32.eq (local.get $kind) (i32.const {STRUCT}))
        (then (i32.const 0)) (else (i32.load $guest offset=4 align=1 (local.get $at))))
      (i32.const 1) (local.get $state)))

  (func $holds_nul (param $ptr i32) (param $count i32) (result i32)
    (block $short (loop $again
      (br_if $short (i32.lt_u (local.get $count) (i32.const 8)))
      (if (call $zero (i64.load $guest align=1 (local.get $ptr))) (then (return (i32.const 1))))
      (local.set $ptr (i32.add (local.get $ptr) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 8)))
      (br $again)))
    (block $end (loop $again
      (br_if $end (i32.eqz (local.get $count)))
      (if (i32.eqz (i32.load8_u $guest (local.get $ptr))) (then (return (i32.const 1))))
      (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $again)))
    (i32.const 0))

  ;; Write a value that was measured.
  (func $write (param $node i32) (param $ptr i32) (param $count i32) (param $state i32)
    (local $kind i32) (local $bytes i32) (local $inner i32) (local $end i32) (local $to i32)
    (local.set $kind (call $kind (local.get $node)))
    (if (i32.eq (local.get $kind) (i32.const {STRUCT}))
      (then
        (local.set $inner (i32.add (local.get $node) (i32.const 24)))
        (local.set $end (i32.add (local.get $inner) (i32.shl (call $more (local.get $node)) (i32.const 3))))
        (block $done (loop $again
          (br_if $done (i32.eq (local.get $inner) (local.get $end)))
          (call $write_slot (i32.load $programs (local.get $inner))
            (i32.add (local.get $ptr) (i32.load $programs offset=4 (local.get $inner))) (local.get $state))
          (local.set $inner (i32.add (local.get $inner) (i32.const 8)))
          (br $again)))
        (return)))
    (if (i32.ne (call $row_offset (local.get $node)) (i32.const {IN_COLUMNS}))
      (then (i32.store $staging align=1
        (i32.add (i32.load $staging (local.get $state)) (call $row_offset (local.get $node))) (local.get $count)))
      (else (if (call $counts (local.get $node))
        (then (i32.store $staging align=1
          (call $next (i32.add (local.get $state) (call $counts (local.get $node))) (i32.const 4))
          (local.get $count))))))
    (local.set $bytes (i32.mul (local.get $count) (call $size (local.get $node))))
    (local.set $to (i32.add (local.get $state) (call $content (local.get $node))))
    (if (i32.eq (local.get $kind) (i32.const {LIST}))
      (then
        (local.set $inner (call $part (local.get $node)))
        (if (call $kind (local.get $inner))
          (then
            (if (i32.eqz (local.get $count)) (then (return)))
            (local.set $end (i32.add (local.get $ptr) (local.get $bytes)))
            (loop $again
              (call $write_slot (local.get $inner) (local.get $ptr) (local.get $state))
              (local.set $ptr (i32.add (local.get $ptr) (call $size (local.get $node))))
              (br_if $again (i32.ne (local.get $ptr) (local.get $end))))
            (return)))
        (local.set $to (i32.add (local.get $state) (call $content (local.get $inner))))))
    (if (i32.and (i32.ne (local.get $kind) (i32.const {LIST}))
          (i32.ne (call $row_offset (local.get $node)) (i32.const {IN_COLUMNS})))
      (then (local.set $to (i32.add (local.get $state) (i32.const 8)))))
    (if (local.get $bytes)
      (then (call $copy (call $next (local.get $to) (local.get $bytes)) (local.get $ptr) (local.get $bytes))))
    (if (i32.and (i32.eq (local.get $kind) (i32.const {TEXT})) (i32.ne (call $content (local.get $node)) (i32.const 0)))
      (then (i32.store8 $staging (call $next (local.get $to) (i32.const 1))
        (i32.load $staging (i32.add (local.get $state) (call $more (local.get $node))))))))

  (func $copy (param $to i32) (param $from i32) (param $size i32)
    (local $last i32)
    (if (i32.and (i32.ge_u (local.get $size) (i32.const 8)) (i32.le_u (local.get $size) (i32.const 16)))
      (then
        (local.set $last (i32.sub (local.get $size) (i32.const 8)))
        (i64.store $staging align=1 (local.get $to) (i64.load $guest align=1 (local.get $from)))
        (i64.store $staging align=1 (i32.add (local.get $to) (local.get $last))
          (i64.load $guest align=1 (i32.add (local.get $from) (local.get $last)))))
      (else (memory.copy $staging $guest (local.get $to) (local.get $from) (local.get $size)))))

  (func $write_slot (param $node i32) (param $at i32) (param $state i32)
    (local $kind i32) (local $to i32)
    (local.set $kind (call $kind (local.get $node)))
    (if (i32.eqz (local.get $kind))
      (then
        (call $move_out
          (if (result i32) (call $content (local.get $node))
            (then (call $next
              (i32.add (local.get $state) (call $content (local.get $node)))
              (call $size (local.get $node))))
            (else (i32.add (i32.load $staging (local.get $state)) (call $row_offset (local.get $node)))))
          (local.get $at) (call $size (local.get $node)))
        (return)))
    (call $write (local.get $node) (i32.load $guest align=1 (local.get $at))
      (if (result i32) (i32.eq (local.get $kind) (i32.const {STRUCT}))
        (then (i32.const 0)) (else (i32.load $guest offset=4 align=1 (local.get $at))))
      (local.get $state)))

  (func $move_out (param $to i32) (param $from i32) (param $size i32)
    (if (i32.eq (local.get $size) (i32.const 4))
      (then (i32.store $staging align=1 (local.get $to) (i32.load $guest align=1 (local.get $from))) (return)))
    (if (i32.eq (local.get $size) (i32.const 8))
      (then (i64.store $staging align=1 (local.get $to) (i64.load $guest align=1 (local.get $from))) (return)))
    (if (i32.eq (local.get $size) (i32.const 1))
      (then (i32.store8 $staging (local.get $to) (i32.load8_u $guest (local.get $from))) (return)))
    (i32.store16 $staging align=1 (local.get $to) (i32.load16_u $guest align=1 (local.get $from))))
"""
