//! `wasi:logging`, as wasmCloud's components write their logs: to the guest's log, with its limits.

use super::super::state::State;
use super::super::wit::warren::handler::logging as ours;

pub(in crate::sandbox) mod wit {
    wasmtime::component::bindgen!({
        inline: "
            package warren:other;
            world logs {
                import wasi:logging/logging@0.1.0-draft;
            }
        ",
        path: ["../wit/other/wasi-logging"],
        imports: { default: trappable },
    });
}

use wit::wasi::logging::logging::{Host, Level};

impl Host for State {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => ours::Level::Trace,
            Level::Debug => ours::Level::Debug,
            Level::Info => ours::Level::Info,
            Level::Warn => ours::Level::Warn,
            Level::Error | Level::Critical => ours::Level::Error,
        };
        let fields = if context.is_empty() { Vec::new() } else { vec![("context".to_owned(), context)] };
        ours::Host::log(self, level, message, fields)
    }
}
