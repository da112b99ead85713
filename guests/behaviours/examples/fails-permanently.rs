//! Fails permanently.

use behaviours::Object;
use warren_guest::{Failure, Result, handler};

fn fail(_: Object) -> Result {
    Err(Failure::permanent("no such order"))
}
handler!(fail);
