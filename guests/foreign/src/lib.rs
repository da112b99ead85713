//! Test guests for the worlds of other hosts. All of them read an order from the message and carry it out, so that one
//! component of each world is enough. Nothing here knows Warren.

use std::cell::Cell;

use serde::Deserialize;
use serde_json::Value;

/// What a message orders its handler to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Order {
    /// Return ok.
    Succeed,
    /// Publish what was received, and how many messages this instance has seen.
    Report {
        /// Where to.
        to: String,
    },
    /// Publish.
    Publish {
        /// Where to.
        to: String,
        /// What.
        body: Value,
        /// How often.
        #[serde(default = "once")]
        times: u32,
        /// Where an answer is expected.
        #[serde(rename = "replyTo")]
        reply_to: Option<String>,
    },
    /// Return ok, and publish afterwards, which asynchronous handlers can.
    PublishLater {
        /// Where to.
        to: String,
    },
    /// Publish an answer.
    Reply {
        /// What.
        body: Value,
    },
    /// Ask, and fail if that is not answered.
    Request {
        /// Where to.
        to: String,
    },
    /// Fail.
    Fail {
        /// How: a case of the world's error type.
        how: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Publish, and then fail.
    PublishAndFail {
        /// Where to.
        to: String,
    },
    /// Log.
    Log {
        /// What.
        text: String,
        /// How often.
        #[serde(default = "once")]
        times: u32,
    },
    /// Trap.
    Trap,
    /// Never return.
    Loop,
}

fn once() -> u32 {
    1
}

/// The order in a body. What is none traps, so that no test passes by mistake.
pub fn read(body: &[u8]) -> Order {
    serde_json::from_slice(body).expect("an order")
}

/// How many messages this instance has seen, this one included.
pub fn seen() -> u32 {
    thread_local! {
        static SEEN: Cell<u32> = const { Cell::new(0) };
    }
    SEEN.with(|seen| {
        seen.set(seen.get() + 1);
        seen.get()
    })
}

/// Bytes of a body that is published.
pub fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// Computes for ever.
pub fn forever() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}
