;; Its `greeting` takes one 64-bit integer where the adapter passes an address and a length.
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

  (func (export "greeting") (param i64)))
