//! Succeeds: logs one line at level info, publishes nothing.

use behaviours::Object;
use warren_guest::{Result, handler, info};

fn succeed(payload: Object) -> Result {
    info!("succeeded"; "keys" => payload.len());
    Ok(())
}
handler!(succeed);
