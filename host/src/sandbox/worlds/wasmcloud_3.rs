//! Handlers of `wasmcloud:messaging@0.3.0`, which are asynchronous and take bodies as streams.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{Accessor, HasSelf, Source, StreamConsumer, StreamReader, StreamResult};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::message::Properties;
use crate::policy::Failure;

use super::super::outbox::{Refusal, Request};
use super::super::state::State;
use super::carried::Carried;
use super::subject::Astray;
use super::{Reason, Unpublished};

pub(in crate::sandbox) mod wit {
    wasmtime::component::bindgen!({
        inline: "
            package warren:other;
            world wasmcloud-three {
                import wasmcloud:messaging/consumer@0.3.0;
                export wasmcloud:messaging/handler@0.3.0;
            }
        ",
        path: ["../wit/other/wasmcloud-messaging-0.3.0"],
        imports: { default: trappable },
        exports: { default: async },
    });
}

use wit::wasmcloud::messaging::{consumer, types};

/// A message as such a handler sees it.
pub(super) fn input(
    store: impl AsContextMut<Data = State>,
    message: Carried,
) -> wasmtime::Result<types::BrokerMessage> {
    Ok(types::BrokerMessage {
        subject: message.subject,
        body: StreamReader::new(store, message.body)?,
        reply_to: message.reply_to,
    })
}

pub(super) fn failure(error: types::HandleMessageError) -> Failure {
    match error {
        types::HandleMessageError::Reject => Failure::Permanent("rejected by the handler".to_owned()),
        types::HandleMessageError::Retry => Failure::Transient("the handler asks for a retry".to_owned()),
        types::HandleMessageError::Other(text) => Failure::Permanent(text),
    }
}

fn error(unpublished: &Unpublished) -> types::Error {
    match &unpublished.reason {
        Reason::Astray(Astray::NotGranted) | Reason::Refused(Refusal::NotGranted) => {
            types::Error::AccessDenied
        }
        Reason::Astray(Astray::Unknown(_)) | Reason::Refused(Refusal::UnknownPublisher) => {
            types::Error::SubjectInvalid
        }
        Reason::NoReplyTo => types::Error::SubjectInvalid,
        Reason::Refused(Refusal::TooMany(_)) => types::Error::QuotaExceeded,
        Reason::Refused(Refusal::TooLarge(_)) => types::Error::MessageTooLarge,
        Reason::Astray(Astray::Ambiguous(_)) | Reason::Refused(Refusal::Invalid(_)) => {
            types::Error::Other(unpublished.to_string())
        }
    }
}

impl types::Host for State {}
impl consumer::Host for State {}

impl<T: Send> consumer::HostWithStore<T> for HasSelf<State> {
    async fn request(
        accessor: &Accessor<T, Self>,
        subject: String,
        body: StreamReader<u8>,
        _timeout_ms: Option<u32>,
    ) -> wasmtime::Result<Result<types::BrokerMessage, types::Error>> {
        accessor.with(|mut access| {
            let mut body = body;
            body.close(&mut access)?;
            Ok(Err(types::Error::Other(super::no_requests(access.get(), &subject))))
        })
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        message: types::BrokerMessage,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let types::BrokerMessage { subject, body, reply_to } = message;
        let (sender, read) = oneshot::channel();
        accessor.with(|mut access| {
            let bytes_max = access.get().bounds().bytes;
            body.pipe(access, Collect { bytes: Vec::new(), bytes_max, whole: Some(sender) })
        })?;
        let Ok(body) = read.await else {
            return accessor.with(|mut access| {
                let state = access.get();
                let unpublished =
                    Unpublished { subject, reason: Refusal::TooLarge(state.bounds().bytes).into() };
                super::refused(state, &unpublished);
                Ok(Err(error(&unpublished)))
            });
        };
        let properties = Properties { reply_to, ..Properties::default() };
        let request = Request { properties, headers: Vec::new(), routing_key: None, body };
        Ok(accessor.with(|mut access| super::publish(access.get(), &subject, request)).map_err(|e| error(&e)))
    }
}

/// Reads a body that the guest writes. Of one that is too large, nothing is handed over.
struct Collect {
    bytes: Vec<u8>,
    bytes_max: u32,
    whole: Option<oneshot::Sender<Vec<u8>>>,
}

impl<T: 'static> StreamConsumer<T> for Collect {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<T>,
        source: Source<'_, u8>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let piece = source.remaining();
        let read = piece.len();
        if self.bytes.len() + read > self.bytes_max as usize {
            self.whole = None;
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        self.bytes.extend_from_slice(piece);
        source.mark_read(read);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// The guest has closed its end.
impl Drop for Collect {
    fn drop(&mut self) {
        if let Some(whole) = self.whole.take() {
            drop(whole.send(std::mem::take(&mut self.bytes)));
        }
    }
}
