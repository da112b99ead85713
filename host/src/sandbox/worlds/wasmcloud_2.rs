//! Handlers of `wasmcloud:messaging@0.2.0`.

use crate::message::Properties;
use crate::policy::Failure;

use super::super::outbox::Request;
use super::super::state::State;
use super::carried::Carried;

pub(in crate::sandbox) mod wit {
    wasmtime::component::bindgen!({
        inline: "
            package warren:other;
            world wasmcloud-two {
                import wasmcloud:messaging/consumer@0.2.0;
                export wasmcloud:messaging/handler@0.2.0;
            }
        ",
        path: ["../wit/other/wasmcloud-messaging-0.2.0"],
        imports: { default: trappable },
        exports: { default: async },
    });
}

use wit::wasmcloud::messaging::{consumer, types};

/// A message as such a handler sees it.
pub(super) fn input(message: Carried) -> types::BrokerMessage {
    types::BrokerMessage { subject: message.subject, body: message.body, reply_to: message.reply_to }
}

/// The text does not say whether a retry can help. It may, and there is a bound.
pub(super) fn failure(text: String) -> Failure {
    Failure::Transient(text)
}

impl types::Host for State {}

impl consumer::Host for State {
    fn request(
        &mut self,
        subject: String,
        _body: Vec<u8>,
        _timeout_ms: u32,
    ) -> wasmtime::Result<Result<types::BrokerMessage, String>> {
        Ok(Err(super::no_requests(self, &subject)))
    }

    fn publish(&mut self, message: types::BrokerMessage) -> wasmtime::Result<Result<(), String>> {
        let types::BrokerMessage { subject, body, reply_to } = message;
        let properties = Properties { reply_to, ..Properties::default() };
        let request = Request { properties, headers: Vec::new(), routing_key: None, body };
        Ok(super::publish(self, &subject, request).map_err(|refused| refused.to_string()))
    }
}
