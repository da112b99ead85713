//! Fails as unauthorized.

use behaviours::Object;
use warren_guest::{Failure, Result, handler};

fn ask(_: Object) -> Result {
    Err(Failure::unauthorized("the token has expired"))
}
handler!(ask);
