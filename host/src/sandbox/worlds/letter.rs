//! The messages that handlers of `wasi:messaging` work on, in both of its forms: they are kept by the host, and the guest
//! has a handle.

#![expect(unreachable_pub, reason = "generated code re-exports what handles stand for as `pub`")]

use std::collections::BTreeMap;

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiView;

use crate::message::{HeaderValue, Properties};

use super::super::outbox::{Refusal, Request};
use super::super::state::State;
use super::carried::Carried;
use super::subject::Astray;
use super::{Reason, Unpublished, publish, refused};

/// The most bytes that all messages of a guest may have together.
const LETTER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A connection. There is one broker, so it says nothing.
#[derive(Debug)]
pub struct Client;

/// What a request would be bounded by, if there were requests.
#[derive(Debug)]
pub struct RequestOptions;

/// A message, received or to be published.
#[derive(Debug, Default)]
pub struct Letter {
    pub(super) topic: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) data: Vec<u8>,
    pub(super) metadata: BTreeMap<String, String>,
    /// Where an answer to it goes. The guest does not see it.
    reply_to: Option<String>,
}

impl Letter {
    /// A message as such a handler sees it.
    fn received(message: Carried) -> Self {
        Self {
            topic: Some(message.subject),
            content_type: message.content_type,
            data: message.body,
            metadata: message.metadata.into_iter().collect(),
            reply_to: message.reply_to,
        }
    }

    fn request(self) -> Request {
        let headers = self.metadata.into_iter().map(|(key, value)| (key, HeaderValue::text(value)));
        Request {
            properties: Properties { content_type: self.content_type, ..Properties::default() },
            headers: headers.collect(),
            routing_key: None,
            body: self.data,
        }
    }

    fn bytes(&self) -> usize {
        let metadata: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.data.len() + metadata + self.content_type.as_ref().map_or(0, String::len)
    }
}

fn table(state: &mut State) -> &mut ResourceTable {
    WasiView::ctx(state).table
}

/// Keeps something of the guest's that has no size to speak of.
pub(super) fn keep<T: Send + 'static>(state: &mut State, value: T) -> wasmtime::Result<Resource<T>> {
    Ok(table(state).push(value)?)
}

pub(super) fn discard<T: Send + 'static>(state: &mut State, value: Resource<T>) -> wasmtime::Result<()> {
    table(state).delete(value)?;
    Ok(())
}

/// A message that was received.
pub(super) fn received(state: &mut State, message: Carried) -> wasmtime::Result<Resource<Letter>> {
    push(state, Letter::received(message))
}

/// A message that the guest makes.
pub(super) fn made(state: &mut State, data: Vec<u8>) -> wasmtime::Result<Resource<Letter>> {
    push(state, Letter { data, ..Letter::default() })
}

fn push(state: &mut State, letter: Letter) -> wasmtime::Result<Resource<Letter>> {
    charge(state, letter.bytes())?;
    keep(state, letter)
}

pub(super) fn read<'a>(state: &'a mut State, letter: &Resource<Letter>) -> wasmtime::Result<&'a Letter> {
    Ok(table(state).get(letter)?)
}

/// Changes a message, and counts what that adds.
pub(super) fn change(
    state: &mut State,
    letter: &Resource<Letter>,
    change: impl FnOnce(&mut Letter),
) -> wasmtime::Result<()> {
    let letter = table(state).get_mut(letter)?;
    let before = letter.bytes();
    change(letter);
    let after = letter.bytes();
    state.foreign.letter_bytes = state.foreign.letter_bytes.saturating_sub(before);
    charge(state, after)
}

/// Takes a message out of the guest's hands.
pub(super) fn take(state: &mut State, letter: Resource<Letter>) -> wasmtime::Result<Letter> {
    let letter = table(state).delete(letter)?;
    state.foreign.letter_bytes = state.foreign.letter_bytes.saturating_sub(letter.bytes());
    Ok(letter)
}

fn charge(state: &mut State, bytes: usize) -> wasmtime::Result<()> {
    state.foreign.letter_bytes += bytes;
    if state.foreign.letter_bytes > LETTER_BYTES_MAX {
        wasmtime::bail!("the messages that it made are larger than {LETTER_BYTES_MAX} bytes together");
    }
    Ok(())
}

/// Publishes a message.
pub(super) fn send(
    state: &mut State,
    topic: &str,
    message: Resource<Letter>,
) -> wasmtime::Result<Result<(), Unpublished>> {
    let message = take(state, message)?;
    Ok(publish(state, topic, message.request()))
}

/// Publishes the answer to a received message. Its correlation id is the one of that message, as of all that is published.
pub(super) fn reply(
    state: &mut State,
    to: &Resource<Letter>,
    answer: Resource<Letter>,
) -> wasmtime::Result<Result<(), Unpublished>> {
    let answer = take(state, answer)?;
    let Some(subject) = read(state, to)?.reply_to.clone() else {
        let unpublished = Unpublished { subject: String::new(), reason: Reason::NoReplyTo };
        refused(state, &unpublished);
        return Ok(Err(unpublished));
    };
    Ok(publish(state, &subject, answer.request()))
}

/// Whether a publication that was refused is one that the guest may not make.
pub(super) fn is_denied(unpublished: &Unpublished) -> bool {
    matches!(
        unpublished.reason,
        Reason::Astray(Astray::NotGranted | Astray::Unknown(_))
            | Reason::Refused(Refusal::NotGranted | Refusal::UnknownPublisher)
    )
}

/// The functions that both forms of the interface have alike, for the types that were generated from one of them.
macro_rules! letters {
    ($types:ident, $request_reply:ident) => {
        impl $types::Host for State {}

        impl $types::HostMessage for State {
            fn new(&mut self, data: Vec<u8>) -> wasmtime::Result<Resource<Letter>> {
                letter::made(self, data)
            }

            fn topic(&mut self, message: Resource<Letter>) -> wasmtime::Result<Option<String>> {
                Ok(letter::read(self, &message)?.topic.clone())
            }

            fn content_type(&mut self, message: Resource<Letter>) -> wasmtime::Result<Option<String>> {
                Ok(letter::read(self, &message)?.content_type.clone())
            }

            fn set_content_type(&mut self, message: Resource<Letter>, value: String) -> wasmtime::Result<()> {
                letter::change(self, &message, |letter| letter.content_type = Some(value))
            }

            fn data(&mut self, message: Resource<Letter>) -> wasmtime::Result<Vec<u8>> {
                Ok(letter::read(self, &message)?.data.clone())
            }

            fn set_data(&mut self, message: Resource<Letter>, data: Vec<u8>) -> wasmtime::Result<()> {
                letter::change(self, &message, |letter| letter.data = data)
            }

            fn metadata(
                &mut self,
                message: Resource<Letter>,
            ) -> wasmtime::Result<Option<Vec<(String, String)>>> {
                let metadata = letter::read(self, &message)?.metadata.clone();
                Ok((!metadata.is_empty()).then(|| metadata.into_iter().collect()))
            }

            fn add_metadata(
                &mut self,
                message: Resource<Letter>,
                key: String,
                value: String,
            ) -> wasmtime::Result<()> {
                letter::change(self, &message, |letter| drop(letter.metadata.insert(key, value)))
            }

            fn set_metadata(
                &mut self,
                message: Resource<Letter>,
                metadata: Vec<(String, String)>,
            ) -> wasmtime::Result<()> {
                letter::change(self, &message, |letter| letter.metadata = metadata.into_iter().collect())
            }

            fn remove_metadata(&mut self, message: Resource<Letter>, key: String) -> wasmtime::Result<()> {
                letter::change(self, &message, |letter| drop(letter.metadata.remove(&key)))
            }

            fn drop(&mut self, message: Resource<Letter>) -> wasmtime::Result<()> {
                letter::take(self, message).map(drop)
            }
        }

        impl $request_reply::HostRequestOptions for State {
            fn new(&mut self) -> wasmtime::Result<Resource<RequestOptions>> {
                letter::keep(self, RequestOptions)
            }

            fn set_timeout_ms(&mut self, _: Resource<RequestOptions>, _: u32) -> wasmtime::Result<()> {
                Ok(())
            }

            fn set_expected_replies(&mut self, _: Resource<RequestOptions>, _: u32) -> wasmtime::Result<()> {
                Ok(())
            }

            fn drop(&mut self, options: Resource<RequestOptions>) -> wasmtime::Result<()> {
                letter::discard(self, options)
            }
        }

        pub(super) fn failure(error: $types::Error) -> Failure {
            match error {
                $types::Error::Timeout => Failure::Transient("timeout".to_owned()),
                $types::Error::Connection(text) => Failure::Transient(format!("connection: {text}")),
                $types::Error::PermissionDenied(text) => Failure::Unauthorized(text),
                $types::Error::Other(text) => Failure::Transient(text),
            }
        }

        fn error(unpublished: &Unpublished) -> $types::Error {
            let text = unpublished.to_string();
            if letter::is_denied(unpublished) {
                $types::Error::PermissionDenied(text)
            } else {
                $types::Error::Other(text)
            }
        }
    };
}
pub(super) use letters;
