;; The runtime library of fused glue: staging, faults, the meter, bounds and UTF-8.
;;
;; A glue module gets the definitions that its adapters request (`library.py`); those that name $MEMORY, once for each
;; memory that they are requested for. A blank line ends a definition. Words in capital letters are numbers that the
;; runtime knows as well: the layout of the first page of staging, the kinds of faults, the limits of the meter.
(module $library
  (memory $staging 1)
  (memory $MEMORY 1)

  ;; Leave a fault for the runtime and stop.
  (func $fault (param $kind i32) (param $a i64) (param $b i64) (param $c i64)
    (i32.store $staging (i32.const FAULT_KIND) (local.get $kind))
    (i64.store $staging (i32.const FAULT_VALUE_0) (local.get $a))
    (i64.store $staging (i32.const FAULT_VALUE_1) (local.get $b))
    (i64.store $staging (i32.const FAULT_VALUE_2) (local.get $c))
    unreachable
  )

  ;; Room in staging, which grows when it must.
  (func $stage (param $size i64) (result i32)
    (local $end i64) (local $have i64)
    (local.set $end (i64.add (i64.load32_u $staging (i32.const FREE)) (local.get $size)))
    (local.set $have (i64.shl (i64.extend_i32_u (memory.size $staging)) (i64.const 16)))
    (if (i64.gt_u (local.get $end) (local.get $have))
      (then
        (if (i64.gt_u (local.get $end) (i64.const 0xffff0000))
          (then (call $fault (i32.const FAULT_STAGING) (local.get $size) (i64.const 0) (i64.const 0)))
        )
        (if (i32.eq (i32.const -1)  ;; check: fused staging that does not grow
              (memory.grow $staging
                (i32.wrap_i64 (i64.shr_u
                  (i64.add (i64.sub (local.get $end) (local.get $have)) (i64.const 0xffff))
                  (i64.const 16)))))
          (then (call $fault (i32.const FAULT_STAGING) (local.get $size) (i64.const 0) (i64.const 0)))
        )
      )
    )
    (i32.load $staging (i32.const FREE))
    (i64.store32 $staging (i32.const FREE) (local.get $end))
  )

  ;; Bytes from here to the next byte that is the separator. Staging goes on for 16 bytes behind a packed value.
  (func $until (param $ptr i32) (param $separator i32) (result i32)
    (local $at i32) (local $found i32) (local $wanted v128)
    (local.set $at (local.get $ptr))
    (local.set $wanted (i8x16.splat (local.get $separator)))
    (loop $next
      (local.set $found
        (i8x16.bitmask (i8x16.eq (local.get $wanted) (v128.load $staging align=1 (local.get $at)))))
      (if (i32.eqz (local.get $found))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $next)
        )
      )
    )
    (i32.sub (i32.add (local.get $at) (i32.ctz (local.get $found))) (local.get $ptr))
  )

  ;; Is there a NUL among these bytes?
  (func $nul.MEMORY (param $ptr i32) (param $size i32) (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $ptr) (local.get $size)))
    (block $short
      (loop $wide
        (br_if $short (i32.lt_u (i32.sub (local.get $end) (local.get $ptr)) (i32.const 16)))
        ;; check: fused NUL among 16 bytes
        (if (i32.eqz (i8x16.all_true (v128.load $MEMORY align=1 (local.get $ptr))))
          (then (return (i32.const 1)))
        )
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 16)))
        (br $wide)
      )
    )
    (block $none
      (loop $next
        (br_if $none (i32.eq (local.get $ptr) (local.get $end)))
        (if (i32.eqz (i32.load8_u $MEMORY (local.get $ptr)))  ;; check: fused NUL among the last bytes
          (then (return (i32.const 1)))
        )
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
        (br $next)
      )
    )
    (i32.const 0)
  )

  ;; What the parts of the value that is checked may still add up to.
  (global $left (mut i64) (i64.const 0))

  ;; A value in this memory is checked: its parts may add up to METER_FACTOR times the memory, or a fixed amount.
  (func $start.MEMORY (local $limit i64)
    (local.set $limit (i64.mul (i64.extend_i32_u (memory.size $MEMORY)) (i64.const METER_PAGE)))
    (global.set $left
      (select (local.get $limit) (i64.const METER_FLOOR)
        (i64.gt_u (local.get $limit) (i64.const METER_FLOOR))))
  )

  ;; Is this UTF-8? ASCII goes 128 or 16 bytes at a time; anything else byte by byte (RFC 3629, table of section 4).
  (func $utf8.MEMORY (param $ptr i32) (param $size i32) (result i32)
    (local $end i32) (local $a i32) (local $b i32) (local $more i32)
    (local.set $end (i32.add (local.get $ptr) (local.get $size)))
    (block $valid
      (loop $next
        (block $slow
          (block $narrow
            (loop $wide
              ;; check: fused UTF-8: 128 bytes at a time
              (br_if $narrow (i32.lt_u (i32.sub (local.get $end) (local.get $ptr)) (i32.const 128)))
              (br_if $narrow (i8x16.bitmask  ;; check: fused UTF-8: 128 bytes of ASCII
                (v128.or
                  (v128.or
                    ;; check: fused UTF-8: the 32 bytes at 0
                    (v128.or (v128.load $MEMORY offset=0 align=1 (local.get $ptr)) (v128.load $MEMORY offset=16 align=1 (local.get $ptr)))
                    ;; check: fused UTF-8: the 32 bytes at 32
                    (v128.or (v128.load $MEMORY offset=32 align=1 (local.get $ptr)) (v128.load $MEMORY offset=48 align=1 (local.get $ptr))))
                  (v128.or
                    ;; check: fused UTF-8: the 32 bytes at 64
                    (v128.or (v128.load $MEMORY offset=64 align=1 (local.get $ptr)) (v128.load $MEMORY offset=80 align=1 (local.get $ptr)))
                    ;; check: fused UTF-8: the 32 bytes at 96
                    (v128.or (v128.load $MEMORY offset=96 align=1 (local.get $ptr)) (v128.load $MEMORY offset=112 align=1 (local.get $ptr)))))))
              ;; check: fused UTF-8: from 128 bytes to the next
              (local.set $ptr (i32.add (local.get $ptr) (i32.const 128)))
              (br $wide)
            )
          )
          (loop $ascii
            ;; check: fused UTF-8: 16 bytes at a time
            (if (i32.lt_u (i32.sub (local.get $end) (local.get $ptr)) (i32.const 16))
              (then
                ;; The last 16 bytes overlap those before. They are looked at one by one when one of them is not ASCII.
                ;; check: fused UTF-8: last bytes of short strings
                (br_if $slow (i32.lt_u (local.get $size) (i32.const 16)))
                ;; check: fused UTF-8: the last 16 bytes
                (br_if $slow (i8x16.bitmask (v128.load $MEMORY align=1 (i32.sub (local.get $end) (i32.const 16)))))
                (br $valid)
              )
            )
            ;; check: fused UTF-8: 16 bytes of ASCII
            (br_if $slow (i8x16.bitmask (v128.load $MEMORY align=1 (local.get $ptr))))
            (local.set $ptr (i32.add (local.get $ptr) (i32.const 16)))
            (br $ascii)
          )
        )
        ;; At least one character, then back to the fast path after the next ASCII byte.
        (loop $character
          (br_if $valid (i32.eq (local.get $ptr) (local.get $end)))
          (local.set $a (i32.load8_u $MEMORY (local.get $ptr)))
          (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
          (if (i32.lt_u (local.get $a) (i32.const 0x80))
            (then
              (br_if $character (i32.lt_u (i32.sub (local.get $end) (local.get $ptr)) (i32.const 16)))
              (br $next)
            )
          )
          ;; check: fused UTF-8: first bytes
          (if (i32.or (i32.lt_u (local.get $a) (i32.const 0xc2)) (i32.gt_u (local.get $a) (i32.const 0xf4)))
            (then (return (i32.const 0)))
          )
          (local.set $more
            (i32.add
              (i32.const 1)
              (i32.add (i32.ge_u (local.get $a) (i32.const 0xe0)) (i32.ge_u (local.get $a) (i32.const 0xf0)))))
          ;; check: fused UTF-8: end of the string
          (if (i32.gt_u (local.get $more) (i32.sub (local.get $end) (local.get $ptr)))
            (then (return (i32.const 0)))
          )
          ;; The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF.
          (local.set $b (i32.load8_u $MEMORY (local.get $ptr)))
          (if (i32.lt_u (local.get $b)
                (select (i32.const 0xa0)  ;; check: fused UTF-8: overlong forms of three bytes
                  ;; check: fused UTF-8: smallest second bytes
                  (select (i32.const 0x90) (i32.const 0x80) (i32.eq (local.get $a) (i32.const 0xf0)))
                  (i32.eq (local.get $a) (i32.const 0xe0))))
            (then (return (i32.const 0)))
          )
          (if (i32.gt_u (local.get $b)
                (select (i32.const 0x9f)  ;; check: fused UTF-8: surrogates
                  ;; check: fused UTF-8: largest second bytes
                  (select (i32.const 0x8f) (i32.const 0xbf) (i32.eq (local.get $a) (i32.const 0xf4)))
                  (i32.eq (local.get $a) (i32.const 0xed))))
            (then (return (i32.const 0)))
          )
          (loop $continuation
            (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
            (local.set $more (i32.sub (local.get $more) (i32.const 1)))
            (if (local.get $more)
              (then
                (if (i32.ne
                      ;; check: fused UTF-8: continuation bytes
                      (i32.and (i32.load8_u $MEMORY (local.get $ptr)) (i32.const 0xc0))
                      (i32.const 0x80))
                  (then (return (i32.const 0)))
                )
                (br $continuation)
              )
            )
          )
          (br $character)
        )
      )
    )
    (i32.const 1)
  )
)
