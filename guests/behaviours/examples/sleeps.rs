//! Sleeps for `ms` milliseconds in a host call, then echoes.

use std::{thread, time::Duration};

use behaviours::{Object, echo};
use warren_guest::{Message, OrFail, Result, handler};

fn sleep(payload: Object, message: &Message) -> Result {
    let ms =
        payload.get("ms").and_then(|ms| ms.as_u64()).or_permanent("`ms` is not a number of milliseconds")?;
    thread::sleep(Duration::from_millis(ms));
    echo(payload, message)
}
handler!(sleep);
