//! What the host does for a handler: the component's imports, and in a native test the double of [`crate::testing`].

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::warren::handler::{logging::log, publisher::publish};
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::{log, publish};
