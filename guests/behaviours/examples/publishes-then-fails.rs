//! Publishes its payload through `echoed`, then fails permanently: nothing may come out.

use behaviours::{Object, echo};
use warren_guest::{Failure, Message, Result, handler};

fn publish_then_fail(payload: Object, message: &Message) -> Result {
    echo(payload, message)?;
    Err(Failure::permanent("failed after publishing"))
}
handler!(publish_then_fail);
