;; `allocate` gives the address that `answer` was told, 0 at first, whatever the size. `answer` returns the one before.
(module
  (memory (export "memory") 1)
  (global $address (mut i32) (i32.const 0))
  (func (export "allocate") (param i32 i32) (result i32) (global.get $address))
  (func (export "release_objects"))
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (func (export "get_result_size") (result i32) (global.get $size))
  (func (export "get_result_ptr") (result i32) (global.get $ptr))
  (func (export "set_result_size") (param i32) (global.set $size (local.get 0)))
  (func (export "set_result_ptr") (param i32) (global.set $ptr (local.get 0)))

  (func (export "answer") (param i32) (result i32)
    (global.get $address)
    (global.set $address (local.get 0)))
  (func (export "text") (export "bytes") (export "numbers") (export "texts") (param i32 i32))
  (func (export "pair") (param i32)))
