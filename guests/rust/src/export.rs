//! The glue between the component's export and the handler: read the payload, call, and explain a panic
//! before it traps.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::{Level, Message, Payload, Result};

/// Makes a function the handler of this component. Once in a crate, which is a `cdylib`.
///
/// The function is a `fn(Payload) -> Result` or a `fn(Payload, &Message) -> Result`, where the payload is
/// anything that derives `serde::Deserialize`, or [`Raw`](crate::Raw).
///
/// ```
/// use warren_guest::{Message, Result, handler, json};
///
/// fn accept(order: warren_guest::serde_json::Value, message: &Message) -> Result {
///     warren_guest::info!("order {}", order["id"]; "key" => message.routing_key);
///     Ok(())
/// }
/// handler!(accept);
/// ```
///
/// A panic is logged with its place at level error, and traps: the host counts a fault, and retries within
/// the contract's bound.
///
/// Anything else does not compile:
///
/// ```compile_fail,E0277
/// fn accept() -> warren_guest::Result { Ok(()) }
/// warren_guest::handler!(accept);
/// ```
/// ```compile_fail,E0277
/// fn accept(order: warren_guest::serde_json::Value) {}
/// warren_guest::handler!(accept);
/// ```
/// ```compile_fail,E0277
/// struct NotDeserialize;
/// fn accept(order: NotDeserialize) -> warren_guest::Result { Ok(()) }
/// warren_guest::handler!(accept);
/// ```
#[macro_export]
macro_rules! handler {
    ($function:path) => {
        const _: () = {
            struct Component;

            impl $crate::__private::Guest for Component {
                fn handle(message: $crate::Message) -> $crate::Result {
                    $crate::__private::run(message, $function)
                }
            }

            #[cfg(target_family = "wasm")]
            $crate::__private::export_component! { Component with_types_in $crate::bindings }

            // A native linker does not take the name of the export. The handler still counts as used.
            #[cfg(not(target_family = "wasm"))]
            const _: fn($crate::Message) -> $crate::Result = <Component as $crate::__private::Guest>::handle;
        };
    };
}

/// A function that can handle messages; `Arguments` is how it takes them. Given to
/// [`handler!`](crate::handler), not implemented.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message handler",
    label = "takes neither a payload nor a payload and `&Message`",
    note = "a handler is `fn(Payload) -> warren_guest::Result` or `fn(Payload, &warren_guest::Message) -> warren_guest::Result`"
)]
pub trait Handle<Arguments> {
    /// What the body is read as.
    type Payload;
    /// What the function returns.
    type Answer;

    /// Calls the function.
    fn call(self, payload: Self::Payload, message: &Message) -> Self::Answer;
}

impl<F: FnOnce(P) -> A, P, A> Handle<(P,)> for F {
    type Payload = P;
    type Answer = A;

    fn call(self, payload: P, _message: &Message) -> A {
        self(payload)
    }
}

impl<F: FnOnce(P, &Message) -> A, P, A> Handle<(P, &Message)> for F {
    type Payload = P;
    type Answer = A;

    fn call(self, payload: P, message: &Message) -> A {
        self(payload, message)
    }
}

/// What a handler returns; a trait of its own so that the compiler can say so.
#[diagnostic::on_unimplemented(
    message = "a message handler returns `warren_guest::Result`, not `{Self}`",
    label = "does not return `warren_guest::Result`",
    note = "end it with `Ok(())`; on the way `?` turns any error into a failure"
)]
pub trait Answer {
    /// The result itself.
    fn into_result(self) -> Result;
}

impl Answer for Result {
    fn into_result(self) -> Result {
        self
    }
}

/// Handles one message with the function given to [`handler!`](crate::handler).
pub fn run<Arguments, F>(message: Message, function: F) -> Result
where
    F: Handle<Arguments>,
    F::Payload: Payload,
    F::Answer: Answer,
{
    if cfg!(target_family = "wasm") {
        log_panics();
    }
    let payload = F::Payload::decode(&message)?;
    function.call(payload, &message).into_result()
}

/// Lets a panic say why in the host's log, which knows the message, besides stderr. Once for each instance.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let to_stderr = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            to_stderr(panic);
            log_panic(panic);
        }));
    });
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload_as_str().unwrap_or("no message");
    match panic.location() {
        Some(place) => crate::log(Level::Error, &format!("handler panicked: {text}"), &[("location", place)]),
        None => crate::log(Level::Error, &format!("handler panicked: {text}"), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn message(body: &str) -> Message {
        Message { body: body.into(), attempt: 2, ..Message::default() }
    }

    #[test]
    fn a_handler_takes_the_payload_or_the_payload_and_the_message() {
        fn short(number: u32) -> Result {
            if number == 7 { Ok(()) } else { Err(Failure::permanent(number)) }
        }
        fn long(number: u32, message: &Message) -> Result {
            Err(Failure::transient(format_args!("{number} at attempt {}", message.attempt)))
        }
        assert_eq!(run(message("7"), short), Ok(()));
        assert_eq!(run(message("8"), short), Err(Failure::permanent("8")));
        assert_eq!(run(message("7"), long), Err(Failure::transient("7 at attempt 2")));
    }

    #[test]
    fn a_body_that_does_not_fit_never_reaches_the_handler() {
        fn unreached(_: u32) -> Result {
            unreachable!("called with a body that does not fit")
        }
        assert!(matches!(run(message("\"seven\""), unreached), Err(Failure::Permanent(_))));
    }
}
