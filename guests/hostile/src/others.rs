//! Guests of single tests.

use crate::module::Module;

/// A guest that fails if anything is there that another call has left, and leaves as much as it can.
pub(crate) fn suspicious() -> Vec<u8> {
    Module::new(
        "(local $at i32)
         (if (global.get $been) (then unreachable))
         (if (i32.eqz (ref.is_null (table.get $t (i32.const 5)))) (then unreachable))
         (if (i32.ne (memory.grow (i32.const 30)) (i32.const 34)) (then unreachable))
         (local.set $at (i32.const 196608))
         (loop $look
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
            (br_if $look (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 4194304))))
         (memory.fill (i32.const 196608) (i32.const 0xa5) (i32.const 3997696))
         (table.set $t (i32.const 5) (ref.func $f))
         (global.set $been (i32.const 1))
         (i32.const 1024)",
    )
    .items("(global $been (mut i32) (i32.const 0)) (table $t 10 funcref) (func $f) (elem declare func $f)")
    .memory(r#"(memory (export "memory") 34)"#)
    .component()
}

/// A component whose one function takes a compiler long: very many values that live very long.
pub(crate) fn bomb() -> Vec<u8> {
    let load = |n: u32| format!("(local.set {} (i64.load (i32.const {n})))", n % 40_000 + 1);
    let mix = |n: u32| {
        let (to, from) = (n % 40_000 + 1, n.wrapping_mul(7_919) % 40_000 + 1);
        format!(
            "(block $b{n} (br_if $b{n} (i64.eqz (local.get {from}))) (local.set {to} (i64.add (local.get {to}) (local.get {from}))))"
        )
    };
    let body: String = (0..40_000).map(load).chain((0..120_000).map(mix)).collect();
    let text = format!(
        "(component (core module (memory 1) (func (export \"f\") (param i32) (local {}) {body}))
          (instance $e) (export \"warren:handler/consumer@0.1.0\" (instance $e)))",
        "i64 ".repeat(40_000)
    );
    wat::parse_str(text).expect("a component")
}
