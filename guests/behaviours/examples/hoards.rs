//! Allocates memory without end, a mebibyte at a time, and touches all of it.

use std::hint::black_box;

use behaviours::Object;
use warren_guest::{Result, handler};

fn hoard(_: Object) -> Result {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![0xA5u8; 1 << 20]));
    }
}
handler!(hoard);
