//! Components made of a few lines of WebAssembly text: what no compiler would make.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The parts of WASI that the guests here use, and a world that has them all. What a module does not import, its
/// component does not either.
const WASI: &str = "
package test:hostile;
world hostile {
    include warren:handler/handler@VERSION;
    import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:random/random@0.2.0;
    import wasi:cli/exit@0.2.0;
    import wasi:http/outgoing-handler@0.2.0;
}
package wasi:io@0.2.0 { interface poll { resource pollable { block: func(); } } }
package wasi:clocks@0.2.0 {
    interface monotonic-clock {
        use wasi:io/poll@0.2.0.{pollable};
        now: func() -> u64;
        subscribe-duration: func(when: u64) -> pollable;
    }
}
package wasi:random@0.2.0 {
    interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
}
package wasi:cli@0.2.0 { interface exit { exit: func(status: result); } }
package wasi:http@0.2.0 { interface outgoing-handler { handle: func(request: u32) -> u32; } }
";

/// A module in pieces; `handle` is the body of the exported function, which leaves the address of a result.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    /// Imports beside publishing and logging, which are `$publish` and `$log`.
    pub(crate) imports: String,
    /// Functions, tables, data and so on.
    pub(crate) items: String,
    /// The body of `cabi_realloc`, with `$size` and `$align`, that leaves an address; none for a sound one.
    pub(crate) realloc: Option<String>,
    /// The memory.
    pub(crate) memory: String,
    /// The body of `handle`; its parameter is `$message`.
    pub(crate) handle: String,
    /// The version of the WIT package.
    pub(crate) version: String,
}

/// The address of a result that says ok: nothing is ever written there.
pub(crate) const OK: &str = "(i32.const 1024)";
/// Takes memory that nobody gives back.
const BUMP: &str = "
    (local $at i32)
    (local.set $at (i32.and
        (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (block $enough
        (br_if $enough (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1)))))
    (local.get $at)";

impl Module {
    pub(crate) fn new(handle: &str) -> Self {
        Self {
            imports: String::new(),
            items: String::new(),
            realloc: None,
            memory: "(memory (export \"memory\") 4)".to_owned(),
            handle: handle.to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    pub(crate) fn imports(mut self, imports: &str) -> Self {
        imports.clone_into(&mut self.imports);
        self
    }

    pub(crate) fn items(mut self, items: &str) -> Self {
        items.clone_into(&mut self.items);
        self
    }

    pub(crate) fn realloc(mut self, realloc: &str) -> Self {
        self.realloc = Some(realloc.to_owned());
        self
    }

    pub(crate) fn memory(mut self, memory: &str) -> Self {
        memory.clone_into(&mut self.memory);
        self
    }

    pub(crate) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// The module as text. `echoed` stands at address 16, `{}` at 32, and a call of `$publish` with `$outgoing` publishes
    /// that.
    fn text(&self) -> String {
        let Self { imports, items, realloc, memory, handle, version } = self;
        let realloc = realloc.as_deref().unwrap_or(BUMP);
        format!(
            r#"(module
  (import "warren:handler/publisher@{version}" "publish" (func $publish (param i32 i32)))
  (import "warren:handler/logging@{version}" "log" (func $log (param i32 i32 i32 i32 i32)))
  {imports}
  {memory}
  (global $top (mut i32) (i32.const 65536))
  (data (i32.const 16) "echoed")
  (data (i32.const 32) "{{}}")
  (data (i32.const 2048) "\10\00\00\00\06\00\00\00\20\00\00\00\02\00\00\00")
  (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
    {realloc})
  {items}
  (func (export "warren:handler/consumer@{version}#handle") (param $message i32) (result i32)
    {handle}))"#
        )
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).unwrap_or_else(|error| panic!("{error}"));
        let mut resolve = Resolve::default();
        let wit = include_str!("../../../wit/handler.wit")
            .replace("warren:handler@0.1.0", &format!("warren:handler@{}", self.version));
        resolve.push_str("handler.wit", &wit).expect("the WIT is sound");
        let world = WASI.replace("VERSION", &self.version);
        let package = resolve.push_str("hostile.wit", &world).expect("the WIT is sound");
        let world = resolve.select_world(&[package], Some("hostile")).expect("a world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .expect("metadata");
        let mut encoder = ComponentEncoder::default();
        let encoder = encoder.module(&module).expect("a module");
        encoder.validate(false).encode().unwrap_or_else(|error| panic!("{error:#}\n{}", self.text()))
    }
}
