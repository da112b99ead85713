//! Log lines with fields, one macro for each level. The host adds consumer, queue, message id and attempt.

use crate::{Level, host};

/// Writes one log event with its fields; the macros ([`info!`](crate::info) and its kin) are shorter.
pub fn log(level: Level, message: &str, fields: &[(&str, &dyn std::fmt::Display)]) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
    host::log(level, message, &fields);
}

/// Logs what an operator wants to see in normal running: a format string, then fields with any value that has
/// `Display`.
///
/// ```no_run
/// # let (id, total) = ("o-1", 9.5);
/// warren_guest::info!("order accepted");
/// warren_guest::info!("order {id} accepted"; "total" => total, "currency" => "EUR");
/// ```
#[macro_export]
macro_rules! info { ($($line:tt)*) => { $crate::__log!(Info, $($line)*) } }

/// Logs that something is odd, though the message is still handled; see [`info!`] for how it is written.
#[macro_export]
macro_rules! warn { ($($line:tt)*) => { $crate::__log!(Warn, $($line)*) } }

/// Logs what a human should look at; see [`info!`] for how it is written.
#[macro_export]
macro_rules! error { ($($line:tt)*) => { $crate::__log!(Error, $($line)*) } }

/// Logs what helps to find a fault; see [`info!`] for how it is written.
#[macro_export]
macro_rules! debug { ($($line:tt)*) => { $crate::__log!(Debug, $($line)*) } }

/// Logs everything, for a developer following one message; see [`info!`] for how it is written.
#[macro_export]
macro_rules! trace { ($($line:tt)*) => { $crate::__log!(Trace, $($line)*) } }

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $text:literal $(, $argument:expr)* $(,)? $(; $($name:expr => $value:expr),* $(,)?)?) => {
        $crate::log($crate::Level::$level, &::std::format!($text $(, $argument)*), &[$($(($name, &$value)),*)?])
    };
}
