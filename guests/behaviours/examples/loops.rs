//! Spins for ever, without a host call.

use std::hint::black_box;

use behaviours::Object;
use warren_guest::{Result, handler};

fn spin(_: Object) -> Result {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
handler!(spin);
