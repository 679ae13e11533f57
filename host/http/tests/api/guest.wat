;; Functions that a host without a contract calls: one that answers, one that never does, one that says how far it is.
(component
  (import "packhost:pack/progress@0.1.0" (instance $progress
    (export "report" (func (param "done" f64) (param "total" (option f64)) (param "message" (option string))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias export $progress "report" (func $report))
  (core func $report (canon lower (func $report) (memory $memory "memory")))
  (core module $guest
    (import "host" "report" (func $report (param f64 i32 f64 i32 i32 i32)))
    (func $say (param $done i32)
      (call $report (f64.convert_i32_s (local.get $done)) (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "steps") (param $n i32) (result i32) (local $done i32)
      (loop $next
        (local.set $done (i32.add (local.get $done) (i32.const 1)))
        (call $say (local.get $done))
        (br_if $next (i32.lt_s (local.get $done) (local.get $n))))
      (local.get $done))
    (func (export "spin")
      (call $say (i32.const 1))
      (loop $for-ever (br $for-ever)))
    (func (export "crash") unreachable))
  (core instance $guest (instantiate $guest (with "host" (instance (export "report" (func $report))))))
  (func (export "add") (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $guest "add")))
  (func (export "steps") (param "n" s32) (result s32) (canon lift (core func $guest "steps")))
  (func (export "spin") (canon lift (core func $guest "spin")))
  (func (export "crash") (canon lift (core func $guest "crash"))))
