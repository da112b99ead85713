//! Publishes through `echoed` how many calls this instance has had: 1 every time, if each message has a fresh one. Keeps
//! `grow` MiB more for ever, and traps if there is a `trap`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use behaviours::Object;
use warren_guest::{Result, handler, json, publish};

static CALLS: AtomicU32 = AtomicU32::new(0);
static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn count(payload: Object) -> Result {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(mib) = payload.get("grow").and_then(|mib| mib.as_u64()) {
        let kept = vec![1; (mib << 20) as usize];
        KEPT.lock().expect("nothing else is here").push(kept);
    }
    assert!(payload.get("trap").is_none(), "asked to trap after {calls} calls");
    publish("echoed", &json!({ "calls": calls }))?;
    Ok(())
}
handler!(count);
