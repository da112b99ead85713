//! `wasi:config/store`: configuration from the contract, and secrets beside it under their own names.

use std::collections::BTreeMap;

use wasmtime::component::Linker;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

use super::State;
use super::secrets::Secret;

pub(super) fn variables(config: &BTreeMap<String, String>, secrets: &[Secret]) -> WasiConfigVariables {
    config.iter().map(|(key, value)| (key.clone(), value.clone())).chain(secrets.iter().cloned()).collect()
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_config::add_to_linker(linker, |state| WasiConfig::from(&state.granted.variables))
}
