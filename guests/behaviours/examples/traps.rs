//! Traps, by a panic.

use behaviours::Object;
use warren_guest::{Result, handler};

fn trap(_: Object) -> Result {
    panic!("the handler gave up")
}
handler!(trap);
