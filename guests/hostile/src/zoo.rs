//! Guests that mean harm, a few lines each, with what has to come of each: `FIELD<TAB>…` of a table that the tests read.

use crate::module::{Module, OK};

/// A guest and what has to come of it.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) component: Vec<u8>,
    /// Keys of `handler` beside the component.
    pub(crate) handler: &'static str,
    pub(crate) end: End,
}

/// What has to come of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// The message is handled, and so many are published.
    Handled(u32),
    /// The message is dead-lettered with this class, and an error that contains this text.
    Dead(&'static str, &'static str),
    /// `warren run` refuses the component, with this text.
    Refused(&'static str),
}

impl End {
    /// Its fields in the table.
    pub(crate) fn fields(self) -> (&'static str, String, &'static str) {
        match self {
            Self::Handled(published) => ("handled", published.to_string(), ""),
            Self::Dead(class, says) => ("dead", class.to_owned(), says),
            Self::Refused(says) => ("refused", String::new(), says),
        }
    }
}

/// Short: what runs into its deadline is to do so soon.
const SHORT: &str = "deadlineMs: 300";
/// Long: what runs into something else is not to run into its deadline.
const LONG: &str = "deadlineMs: 60000";
const LOOP: &str = "(loop $again (br $again)) unreachable";
const PUBLISH: &str = "(call $publish (i32.const 2048) (i32.const 4096))";

fn text(name: &'static str, module: &Module, handler: &'static str, end: End) -> Hostile {
    Hostile { name, component: module.component(), handler, end }
}

/// All of them.
pub(crate) fn all() -> Vec<Hostile> {
    let mut all = spinning();
    all.extend(greedy());
    all.extend(trapping());
    all.extend(flooding());
    all.extend(lying());
    all.extend(misusing());
    all.extend(misshapen());
    all
}

/// Those that never return.
fn spinning() -> Vec<Hostile> {
    let late = End::Dead("deadline", "not done within its deadline of 300 ms");
    vec![
        text("loops", &Module::new(LOOP), SHORT, late),
        text(
            "loops-at-start",
            &Module::new(OK).items("(func $start (loop $again (br $again))) (start $start)"),
            SHORT,
            End::Refused("not done within its deadline of 300 ms"),
        ),
        text("loops-where-the-host-puts-the-message", &Module::new(OK).realloc(LOOP), SHORT, late),
        text(
            "loops-where-the-host-puts-an-answer",
            &Module::new(&format!("(global.set $calls (i32.const 1)) {PUBLISH} {OK}"))
                .items("(global $calls (mut i32) (i32.const 0))")
                .realloc("(if (global.get $calls) (then (loop $again (br $again)))) (i32.const 131072)"),
            SHORT,
            late,
        ),
        text(
            "asks-the-clock-for-ever",
            &Module::new("(loop $again (drop (call $now)) (br $again)) unreachable").imports(
                r#"(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))"#,
            ),
            SHORT,
            late,
        ),
        text(
            "computes-longer-than-its-cpu-limit",
            &Module::new(LOOP),
            "deadlineMs: 60000, limits: { cpuMs: 100 }",
            End::Dead("deadline", "computed for longer than its limit of 100 ms"),
        ),
        text(
            "answers-after-its-deadline",
            &Module::new(&format!(
                "{PUBLISH} (call $block (call $subscribe (i64.const 1000000000))) {OK}"
            ))
            .imports(
                r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
                   (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#,
            ),
            SHORT,
            late,
        ),
    ]
}

/// Those that want more than there is.
fn greedy() -> Vec<Hostile> {
    vec![
        text(
            "grows-its-memory",
            &Module::new("(loop $again (drop (memory.grow (i32.const 16))) (br $again)) unreachable"),
            "deadlineMs: 60000, memoryMiB: 8",
            End::Dead("memory", "its limit of 8 MiB"),
        ),
        text(
            "has-a-huge-memory",
            &Module::new(OK).memory(r#"(memory (export "memory") 60000)"#),
            "deadlineMs: 60000, memoryMiB: 8",
            End::Refused("asked for more memory than its limit of 8 MiB"),
        ),
        text(
            "grows-a-table",
            &Module::new(
                "(loop $again (drop (table.grow $t (ref.null func) (i32.const 100))) (br $again)) unreachable",
            )
            .items("(table $t 1 funcref)"),
            "deadlineMs: 60000, limits: { tableElements: 1000 }",
            End::Dead("trap", "its limit `tableElements`"),
        ),
        text(
            "has-a-huge-table",
            &Module::new(OK).items("(table $t 15000 funcref)"),
            "deadlineMs: 60000, limits: { tableElements: 10000 }",
            End::Refused("its limit `tableElements`"),
        ),
        text(
            "exhausts-the-stack",
            &Module::new(&format!("(call $deeper) {OK}"))
                .items("(func $deeper (call $deeper) (call $deeper))"),
            LONG,
            End::Dead("trap", "its limit `stackKiB`"),
        ),
        text(
            "takes-all-randomness",
            &Module::new("(loop $again (drop (call $random)) (br $again)) unreachable")
                .imports(r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))"#),
            "deadlineMs: 60000, limits: { randomKiB: 64 }",
            End::Dead("trap", "its limit `randomKiB`"),
        ),
        text(
            "asks-for-exabytes-of-randomness",
            &Module::new(&format!("(call $random (i64.const 0x7fffffffffffffff) (i32.const 4096)) {OK}"))
                .imports(r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#),
            LONG,
            End::Dead("trap", "its limit `randomKiB`"),
        ),
        text(
            "leaks-handles",
            &Module::new("(loop $again (drop (call $subscribe (i64.const 1))) (br $again)) unreachable").imports(
                r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))"#,
            ),
            "deadlineMs: 60000, limits: { handles: 100 }",
            End::Dead("trap", "its limit `handles`"),
        ),
    ]
}

/// Traps of every kind.
fn trapping() -> Vec<Hostile> {
    let trap = |name, handle: &str, says| {
        let items = "(table 2 funcref) (type $other (func (param i64))) (type $none (func)) (elem (i32.const 0) $nothing) (func $nothing)";
        text(name, &Module::new(handle).items(items), LONG, End::Dead("trap", says))
    };
    vec![
        trap("is-unreachable", "unreachable", "unreachable"),
        trap(
            "divides-by-zero",
            "(i32.div_u (i32.const 1) (i32.sub (local.get $message) (local.get $message)))",
            "divide by zero",
        ),
        trap("overflows", "(i32.div_s (i32.const 0x80000000) (i32.const -1))", "integer overflow"),
        trap("converts-nan", "(i32.trunc_f32_s (f32.const nan))", "invalid conversion to integer"),
        trap("reads-beyond-its-memory", "(i32.load (i32.const -8))", "out of bounds memory access"),
        trap(
            "calls-beyond-its-table",
            "(call_indirect (type $none) (i32.const 7)) unreachable",
            "undefined element",
        ),
        trap(
            "calls-nothing",
            "(call_indirect (type $none) (i32.const 1)) unreachable",
            "uninitialized element",
        ),
        trap(
            "calls-another-type",
            "(call_indirect (type $other) (i64.const 1) (i32.const 0)) unreachable",
            "indirect call type mismatch",
        ),
    ]
}

/// Those that say too much.
fn flooding() -> Vec<Hostile> {
    let times = |count: u32, what: &str| {
        format!(
            "(local $n i32) (loop $again {what}
               (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {count})))) {OK}"
        )
    };
    // A message whose one header has a text of as many bytes.
    let header = |bytes: u32| {
        let pages = bytes / 65_536 + 16;
        Module::new(&format!(
            "(i32.store (i32.const 2076) (i32.const 3072)) (i32.store (i32.const 2080) (i32.const 1))
             (i32.store (i32.const 3072) (i32.const 16)) (i32.store (i32.const 3076) (i32.const 6))
             (i32.store8 (i32.const 3080) (i32.const 4))
             (i32.store (i32.const 3088) (i32.const 131072)) (i32.store (i32.const 3092) (i32.const {bytes}))
             {PUBLISH} {OK}"
        ))
        .memory(&format!(r#"(memory (export "memory") {pages})"#))
    };
    let long_failure = Module::new(
        "(i32.store8 (i32.const 512) (i32.const 1)) (i32.store (i32.const 520) (i32.const 131072))
         (i32.store (i32.const 524) (i32.const 50000000)) (i32.const 512)",
    )
    .memory(r#"(memory (export "memory") 800)"#);
    vec![
        text(
            "floods-the-outbox",
            &Module::new(&times(20_000, &format!("(global.set $top (i32.const 65536)) {PUBLISH}"))),
            "deadlineMs: 60000, limits: { publishes: 10 }",
            End::Handled(10),
        ),
        text(
            "floods-the-log",
            &Module::new(&times(
                200_000,
                "(call $log (i32.const 2) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 0))",
            )),
            LONG,
            End::Handled(0),
        ),
        text(
            "has-a-header-of-100-mb",
            &header(100_000_000),
            "deadlineMs: 60000, memoryMiB: 256",
            End::Dead("trap", "its limit `hostCallMiB`"),
        ),
        text(
            "has-a-header-of-100-mb-and-may",
            &header(100_000_000),
            "deadlineMs: 60000, memoryMiB: 256, limits: { hostCallMiB: 128 }",
            End::Handled(0),
        ),
        text(
            "fails-with-50-mb-of-text",
            &long_failure,
            "deadlineMs: 60000, memoryMiB: 128",
            End::Dead("trap", "its limit `hostCallMiB`"),
        ),
        text(
            "fails-with-50-mb-of-text-and-may",
            &long_failure,
            "deadlineMs: 60000, memoryMiB: 128, limits: { hostCallMiB: 64 }",
            End::Dead("permanent", "…"),
        ),
    ]
}

/// Those whose strings, addresses and answers are none.
fn lying() -> Vec<Hostile> {
    let log = |address: &str, length: &str| {
        format!(
            "(call $log (i32.const 2) (i32.const {address}) (i32.const {length}) (i32.const 0) (i32.const 0)) {OK}"
        )
    };
    let data = r#"(data (i32.const 600) "\ff\fe\fd")"#;
    vec![
        text(
            "logs-what-is-no-text",
            &Module::new(&log("600", "3")).items(data),
            LONG,
            End::Dead("trap", "utf-8"),
        ),
        text(
            "logs-beyond-its-memory",
            &Module::new(&log("0x7ffffff0", "100")),
            LONG,
            End::Dead("trap", "out of bounds"),
        ),
        text(
            "logs-at-no-level",
            &Module::new(&format!(
                "(call $log (i32.const 99) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 0)) {OK}"
            )),
            LONG,
            End::Dead("trap", "99"),
        ),
        text(
            "answers-what-is-no-answer",
            &Module::new("(i32.store8 (i32.const 512) (i32.const 7)) (i32.const 512)"),
            LONG,
            End::Dead("trap", ""),
        ),
        text(
            "fails-with-what-is-no-text",
            &Module::new(
                "(i32.store8 (i32.const 512) (i32.const 1)) (i32.store (i32.const 520) (i32.const 600))
                 (i32.store (i32.const 524) (i32.const 3)) (i32.const 512)",
            )
            .items(data),
            LONG,
            End::Dead("trap", "utf-8"),
        ),
        text(
            "answers-beyond-its-memory",
            &Module::new("(i32.const 0x7ffffff0)"),
            LONG,
            End::Dead("trap", ""),
        ),
        text("answers-at-an-odd-address", &Module::new("(i32.const 1025)"), LONG, End::Dead("trap", "align")),
        text(
            "has-the-host-write-beyond-its-memory",
            &Module::new(OK).realloc("(i32.const 0x7ffffff0)"),
            LONG,
            End::Dead("trap", "realloc"),
        ),
    ]
}

/// Those that use the host against itself.
fn misusing() -> Vec<Hostile> {
    vec![
        text(
            "calls-the-host-while-the-host-calls-it",
            &Module::new(OK).realloc(&format!("{PUBLISH} (i32.const 131072)")),
            LONG,
            End::Dead("trap", "cannot leave component instance"),
        ),
        text(
            "exits-with-success",
            &Module::new(&format!("{PUBLISH} (call $exit (i32.const 0)) {OK}"))
                .imports(r#"(import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))"#),
            LONG,
            End::Dead("trap", "exit"),
        ),
        text(
            "imports-what-is-not-granted",
            &Module::new(&format!("(drop (call $http (i32.const 0))) {OK}")).imports(
                r#"(import "wasi:http/outgoing-handler@0.2.0" "handle" (func $http (param i32) (result i32)))"#,
            ),
            LONG,
            End::Refused("wasi:http/outgoing-handler"),
        ),
    ]
}

/// Those that are no handler of this host.
fn misshapen() -> Vec<Hostile> {
    let raw = |name, component, says| Hostile { name, component, handler: LONG, end: End::Refused(says) };
    let sound = Module::new(OK).component();
    let mut noise = b"\0asm\x0d\0\x01\0".to_vec();
    noise.extend((0..2_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    let core = wat::parse_str("(module (func (export \"handle\")))").expect("a module");
    let many = {
        let instances: String = (0..40).map(|n| format!("(core instance $i{n} (instantiate $m))")).collect();
        wat::parse_str(format!("(component (core module $m) {instances})")).expect("a component")
    };
    vec![
        raw("is-empty", Vec::new(), "not a WebAssembly file"),
        raw("is-text", b"#!/bin/sh\nrm -rf /\n".to_vec(), "not a WebAssembly file"),
        raw("is-cut-off", sound[..sound.len() / 2].to_vec(), "it is damaged"),
        raw("is-noise", noise, "it is damaged"),
        raw("is-a-core-module", core, "core module"),
        raw("exports-nothing", many, "does not export"),
        Hostile {
            name: "has-more-instances-than-it-may",
            component: sound.clone(),
            handler: "deadlineMs: 60000, limits: { instances: 1 }",
            end: End::Refused("its limit `instances`"),
        },
        text(
            "is-of-an-older-world",
            &Module::new(OK).version("0.0.9"),
            LONG,
            End::Refused("does not export `warren:handler/consumer@0.1.0`"),
        ),
        text(
            "is-of-a-newer-world",
            &Module::new(OK).version("0.2.0"),
            LONG,
            End::Refused("does not export `warren:handler/consumer@0.1.0`"),
        ),
        text("is-of-a-newer-patch-of-this-world", &Module::new(OK).version("0.1.7"), LONG, End::Handled(0)),
    ]
}
