//! Fails transiently until attempt `succeedOn`, then echoes; for ever if that is absent.

use behaviours::{Object, echo};
use warren_guest::{Failure, Message, Result, handler};

fn fail(payload: Object, message: &Message) -> Result {
    match payload.get("succeedOn").and_then(|attempt| attempt.as_u64()) {
        Some(attempt) if u64::from(message.attempt) >= attempt => echo(payload, message),
        _ => Err(Failure::transient(format_args!("not yet at attempt {}", message.attempt))),
    }
}
handler!(fail);
