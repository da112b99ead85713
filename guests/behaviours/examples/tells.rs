//! Publishes what it gets through `alsoEchoed`.

use behaviours::Object;
use warren_guest::{Result, handler, publish};

fn tell(payload: Object) -> Result {
    publish("alsoEchoed", &payload)?;
    Ok(())
}
handler!(tell);
