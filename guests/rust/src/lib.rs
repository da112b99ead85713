//! Write a message handler for Warren in Rust: one function on a typed payload, and one macro.
//!
//! ```
//! use warren_guest::{Result, handler, json, publish};
//!
//! #[derive(serde::Deserialize)]
//! struct Order { id: String, total: f64 }
//!
//! fn accept(order: Order) -> Result {
//!     publish("processPayment", &json!({ "orderId": order.id, "amount": order.total }))?;
//!     Ok(())
//! }
//! handler!(accept);
//! ```
//!
//! The function says what the message means; what happens to it is the contract's and the host's business.
//!
//! | the function returns | the host |
//! |---|---|
//! | `Ok(())` | sends what was [published](publish), and acknowledges the message when that is confirmed |
//! | [`Failure::Permanent`], [`Failure::Unauthorized`] | dead-letters the message now |
//! | [`Failure::Transient`], [`Failure::RateLimited`] | retries as the contract says, then dead-letters it |
//! | (it panics, or takes too long) | counts a fault: retries within the contract's bound, then dead-letters it |
//!
//! After anything but `Ok` nothing is published.
//!
//! # Failing
//!
//! `?` on any [`std::error::Error`] is a transient failure, because an error that nobody has classified may
//! well pass, and retries are bounded. [`OrFail`] classifies it, and makes failures of missing values:
//!
//! ```
//! use warren_guest::{Failure, Message, OrFail, Result, handler};
//!
//! #[derive(serde::Deserialize)]
//! struct Order { id: String, coupon: Option<String> }
//!
//! fn accept(order: Order, message: &Message) -> Result {
//!     let number = order.id.parse::<u64>().permanent()?; // "invalid digit found in string"
//!     let coupon = order.coupon.or_permanent("no coupon")?; // on an `Option`, or on a `Result`
//!     if number == 0 {
//!         return Err(Failure::permanent(format_args!("order {number} cannot exist")));
//!     }
//!     if message.is_last_attempt() {
//!         warren_guest::warn!("last attempt at order {number}"; "coupon" => coupon);
//!     }
//!     Ok(())
//! }
//! handler!(accept);
//! ```
//!
//! A body that is not the payload type fails permanently before the function is called, and says where it
//! does not fit. A body that is not JSON is taken as [`Raw`] bytes.
//!
//! `anyhow::Error` and `Box<dyn Error>` are not `std::error::Error`s, so `?` does not take them. Convert them
//! where they leave your code: `.map_err(|e| Failure::transient(format_args!("{e:#}")))`.
//!
//! # Reaching further
//!
//! What the contract grants under `capabilities` is there by the standard interfaces of WASI, so that any crate for them
//! will do: folders by [`std::fs`], clocks and random always. For the rest there are three features of this crate:
//! `config` for configuration and secrets, `http` for requests, `key-value` for stores.
//!
//! # Native targets
//!
//! The crate compiles for the machine you work on too, so that `cargo check`, `clippy` and `cargo test` work
//! as usual there. What needs a host, [`publish`] and the log macros, has one in [`testing`], and panics outside.

#[doc(hidden)]
pub mod bindings;
#[cfg(feature = "config")]
pub mod config;
mod export;
mod failure;
mod host;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "key-value")]
pub mod key_value;
mod logging;
mod message;
mod outgoing;
mod payload;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::warren::handler::logging::Level;
pub use bindings::warren::handler::types::{
    HeaderValue, Headers, Message, Outgoing, PublishError, RateLimit,
};
pub use export::Handle;
pub use failure::{Failure, HasCause, OrFail, Result};
pub use logging::log;
pub use outgoing::publish;
pub use payload::{Payload, Raw};
pub use serde_json::{self, json};

/// What the macros of this crate expand to. Not part of its interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::__export_component as export_component;
    pub use crate::bindings::exports::warren::handler::consumer::Guest;
    pub use crate::export::run;
}

/// The duration in the unit of the WIT package: rounded up, so that it is never shorter than asked, and at
/// most 49 days.
fn millis(duration: std::time::Duration) -> u32 {
    duration.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u32::MAX)
}

/// Runs the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
