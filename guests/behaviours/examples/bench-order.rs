//! For the benchmark: takes an order that the host has checked, and has nothing else to do. One that ends in `"fail":true`
//! fails transiently when it comes for the first time.

use warren_guest::{Failure, Message, Raw, Result, handler};

fn take(Raw(order): Raw, message: &Message) -> Result {
    if !message.redelivered && order.ends_with(br#""fail":true}"#) {
        return Err(Failure::transient("once, as it says"));
    }
    Ok(())
}
handler!(take);
