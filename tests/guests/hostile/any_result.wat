;; Returns results at the address, and of the size, that the caller asks for. At 256 there is a vector of one pair
;; (address, count) whose inner range lies outside the memory; at 272 a pointer to nowhere; the last 8 bytes are zero.
(module
  (memory (export "memory") 1)
  ;; A bump allocator that never frees and never grows.
  (global $next (mut i32) (i32.const 4096))
  (func $allocate (export "allocate") (param $count i32) (param $tag i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (i32.mul (local.get $count) (i32.const 8)))))
  (func (export "release_objects"))
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (func (export "get_result_size") (result i32) (global.get $size))
  (func (export "get_result_ptr") (result i32) (global.get $ptr))
  (func (export "set_result_size") (param i32) (global.set $size (local.get 0)))
  (func (export "set_result_ptr") (param i32) (global.set $ptr (local.get 0)))

  (data (i32.const 256) "\f0\ff\ff\ff\40\00\00\00")
  (data (i32.const 272) "\00\00\ff\7f")
  (func $vector (export "text") (export "bytes") (export "numbers") (export "texts") (export "nested") (export "pairs")
    (param i32 i32)
    (global.set $ptr (local.get 0))
    (global.set $size (local.get 1)))
  ;; Records have no size; the cell keeps what the caller gave.
  (func (export "pair") (param i32 i32) (call $vector (local.get 0) (local.get 1)))
  (func (export "node") (param i32 i32) (call $vector (local.get 0) (local.get 1))))
