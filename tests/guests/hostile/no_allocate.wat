;; Lacks `allocate`.
(module
  (memory (export "memory") 1)
  (func (export "release_objects"))
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (func (export "get_result_size") (result i32) (global.get $size))
  (func (export "get_result_ptr") (result i32) (global.get $ptr))
  (func (export "set_result_size") (param i32) (global.set $size (local.get 0)))
  (func (export "set_result_ptr") (param i32) (global.set $ptr (local.get 0)))

  (func (export "greeting") (param $text i32) (param $length i32)
    (global.set $ptr (local.get $text))
    (global.set $size (local.get $length))))
