//! Logs 10,000 lines of 1 KiB each at level info, then succeeds.

use behaviours::Object;
use warren_guest::{Result, handler, info};

fn flood(_: Object) -> Result {
    for line in 0..10_000 {
        info!("{line:-<1024}");
    }
    Ok(())
}
handler!(flood);
