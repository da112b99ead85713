//! Publishes through `echoed` how many calls this instance has had: 1 every time, if each message has a fresh
//! one.

use std::sync::atomic::{AtomicU32, Ordering};

use behaviours::Object;
use warren_guest::{Result, handler, json, publish};

static CALLS: AtomicU32 = AtomicU32::new(0);

fn count(_: Object) -> Result {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    publish("echoed", &json!({ "calls": calls }))?;
    Ok(())
}
handler!(count);
