//! Does what the payload says in `do`, for mixed loads: `ok`, `permanent`, `transient`, `trap`, `loop`,
//! `hoard`, `rate-limit` or `unauthorized`. From attempt `succeedOn` on, where that is given, it succeeds
//! whatever `do` says. Success echoes, through `publisher` where one is given; `rate-limit` asks for
//! `retryAfterMs`, 300 if not given. Before anything else it logs that it executes, which is the fault
//! harness's evidence, and sleeps for `ms` milliseconds, where that is given.

use std::{hint::black_box, thread, time::Duration};

use behaviours::{Object, echo_through};
use warren_guest::{Failure, Message, Result, handler, info};

fn dispatch(payload: Object, message: &Message) -> Result {
    info!("executes");
    if let Some(ms) = payload.get("ms").and_then(|ms| ms.as_u64()) {
        thread::sleep(Duration::from_millis(ms));
    }
    let succeed_on = payload.get("succeedOn").and_then(|attempt| attempt.as_u64());
    let what = match payload.get("do").and_then(|what| what.as_str()) {
        _ if succeed_on.is_some_and(|attempt| u64::from(message.attempt) >= attempt) => "ok",
        what => what.unwrap_or("nothing"),
    };
    match what {
        "ok" => {
            let publisher = payload.get("publisher").and_then(|name| name.as_str());
            let publisher = publisher.unwrap_or("echoed").to_owned();
            echo_through(&publisher, payload, message)
        }
        "permanent" => Err(Failure::permanent("told to fail permanently")),
        "transient" => Err(Failure::transient("told to fail transiently")),
        "rate-limit" => {
            let after = payload.get("retryAfterMs").and_then(|ms| ms.as_u64()).unwrap_or(300);
            Err(Failure::rate_limited(Duration::from_millis(after), "told to be rate-limited"))
        }
        "unauthorized" => Err(Failure::unauthorized("told to be unauthorized")),
        "trap" => panic!("told to trap"),
        "loop" => loop {
            black_box(());
        },
        "hoard" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![0xA5u8; 1 << 20]));
            }
        }
        other => Err(Failure::permanent(format_args!("`do` is {other}, which is not a behaviour"))),
    }
}
handler!(dispatch);
