//! Is rate-limited for 300 ms on the first attempt, then echoes.

use std::time::Duration;

use behaviours::{Object, echo};
use warren_guest::{Failure, Message, Result, handler};

fn ask(payload: Object, message: &Message) -> Result {
    if message.attempt < 2 {
        return Err(Failure::rate_limited(Duration::from_millis(300), "too many requests"));
    }
    echo(payload, message)
}
handler!(ask);
