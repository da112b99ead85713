//! Calls a handler without a host, in unit tests on the machine you work on.
//!
//! ```
//! use warren_guest::testing::{Host, message};
//! use warren_guest::{Failure, PublishError, Result, json, publish};
//!
//! #[derive(serde::Deserialize)]
//! struct Order { id: String }
//!
//! fn accept(order: Order) -> Result {
//!     publish("processPayment", &json!({ "orderId": order.id }))?;
//!     Ok(())
//! }
//!
//! let called = Host::default().call(accept, message(r#"{ "id": "o-1" }"#));
//! assert_eq!(called.result, Ok(()));
//! assert_eq!(called.published[0].json(), json!({ "orderId": "o-1" }));
//!
//! let refusing = Host::default().refuse("processPayment", PublishError::NotGranted);
//! assert!(matches!(refusing.call(accept, message(r#"{ "id": "o-1" }"#)).result, Err(Failure::Permanent(_))));
//! ```

use std::cell::RefCell;

use crate::export::{Answer, Handle, run};
use crate::{Level, Message, Outgoing, Payload, PublishError, Result};

/// The first and only attempt at a message with this body; the other fields can be set.
pub fn message(body: impl Into<Vec<u8>>) -> Message {
    Message { body: body.into(), ..Message::default() }
}

/// What a handler finds in place of the host. It takes everything that it is not told to refuse.
#[derive(Debug, Default)]
pub struct Host {
    refusals: Vec<(String, PublishError)>,
}

/// What came of a call.
#[derive(Debug)]
pub struct Called {
    /// What the handler answered.
    pub result: Result,
    /// Empty after a failure, as in the host.
    pub published: Vec<Published>,
    /// What was logged, with the fields.
    pub logs: Vec<Logged>,
}

/// A message that the host would have been asked to publish.
#[derive(Debug)]
pub struct Published {
    /// Through which publisher.
    pub publisher: String,
    /// The message.
    pub message: Outgoing,
}

/// One log event.
#[derive(Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Logged {
    pub level: Level,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

impl Host {
    /// Refuses what is published through this publisher.
    pub fn refuse(mut self, publisher: &str, why: PublishError) -> Self {
        self.refusals.push((publisher.to_owned(), why));
        self
    }

    /// Hands a message to a handler, as the component does.
    pub fn call<Arguments, F>(self, handler: F, message: Message) -> Called
    where
        F: Handle<Arguments>,
        F::Payload: Payload,
        F::Answer: Answer,
    {
        let seen = Seen { host: self, published: Vec::new(), logs: Vec::new() };
        // A call before this one on the same thread may have panicked, and left its own behind.
        SEEN.set(Some(seen));
        let result = run(message, handler);
        let seen = SEEN.take();
        let (published, logs) = seen.map(|seen| (seen.published, seen.logs)).unwrap_or_default();
        Called { published: if result.is_ok() { published } else { Vec::new() }, result, logs }
    }
}

impl Published {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.message.body).unwrap_or_default()
    }
}

/// What the call under way on this thread has asked for.
struct Seen {
    host: Host,
    published: Vec<Published>,
    logs: Vec<Logged>,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

fn seen<T>(what: &str, look: impl FnOnce(&mut Seen) -> T) -> T {
    SEEN.with_borrow_mut(|seen| match seen {
        Some(seen) => look(seen),
        None => panic!("{what} needs a host; hint: call the handler through `warren_guest::testing::Host`"),
    })
}

pub(crate) fn publish(publisher: &str, message: &Outgoing) -> core::result::Result<String, PublishError> {
    seen("publishing", |seen| {
        if let Some((_, why)) = seen.host.refusals.iter().find(|(refused, _)| refused == publisher) {
            return Err(why.clone());
        }
        seen.published.push(Published { publisher: publisher.to_owned(), message: message.clone() });
        Ok(format!("id-{}", seen.published.len()))
    })
}

pub(crate) fn log(level: Level, message: &str, fields: &[(String, String)]) {
    let fields = fields.to_vec();
    seen("logging", |seen| seen.logs.push(Logged { level, message: message.to_owned(), fields }));
}
