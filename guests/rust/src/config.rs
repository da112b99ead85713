//! Configuration and secrets, as the contract's `capabilities: { config, secrets }` grant them.

use crate::Failure;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        clippy::doc_markdown,
        clippy::str_to_string,
        reason = "generated code"
    )]

    wit_bindgen::generate!({ path: "../../wit/deps/config.wit", world: "imports" });
}

use bindings::wasi::config::store;

/// The value of a key of `config`, or of a secret by its name.
pub fn get(name: &str) -> Option<String> {
    // This interface can also say that the source of the configuration failed, which a Warren host never does.
    store::get(name).ok().flatten()
}

/// The value; without one a permanent failure that says so.
pub fn require(name: &str) -> crate::Result<String> {
    get(name).ok_or_else(|| {
        Failure::permanent(format_args!("the contract grants neither `config` nor a secret `{name}`"))
    })
}

/// All keys and secrets that there are, with their values.
pub fn all() -> Vec<(String, String)> {
    store::get_all().unwrap_or_default()
}
