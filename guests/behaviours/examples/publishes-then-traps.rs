//! Publishes its payload through `echoed`, then traps: nothing may come out.

use behaviours::{Object, echo};
use warren_guest::{Message, Result, handler};

fn publish_then_trap(payload: Object, message: &Message) -> Result {
    echo(payload, message)?;
    panic!("trapped after publishing")
}
handler!(publish_then_trap);
