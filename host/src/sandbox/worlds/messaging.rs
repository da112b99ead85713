//! Handlers of `wasi:messaging@0.2.0-draft`.

use wasmtime::component::Resource;

use crate::policy::Failure;

use super::super::state::State;
use super::Unpublished;
use super::letter::{self, Client, Letter, RequestOptions, letters};

pub(in crate::sandbox) mod wit {
    wasmtime::component::bindgen!({
        inline: "
            package warren:other;
            world wasi-messaging {
                import wasi:messaging/producer@0.2.0-draft;
                import wasi:messaging/request-reply@0.2.0-draft;
                export wasi:messaging/incoming-handler@0.2.0-draft;
            }
        ",
        path: ["../wit/other/wasi-messaging"],
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "wasi:messaging/types.client": crate::sandbox::worlds::letter::Client,
            "wasi:messaging/types.message": crate::sandbox::worlds::letter::Letter,
            "wasi:messaging/request-reply.request-options": crate::sandbox::worlds::letter::RequestOptions,
        },
    });
}

use wit::wasi::messaging::{producer, request_reply, types};

letters!(types, request_reply);

impl types::HostClient for State {
    fn connect(&mut self, _name: String) -> wasmtime::Result<Result<Resource<Client>, types::Error>> {
        letter::keep(self, Client).map(Ok)
    }

    fn disconnect(&mut self, _client: Resource<Client>) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(Ok(()))
    }

    fn drop(&mut self, client: Resource<Client>) -> wasmtime::Result<()> {
        letter::discard(self, client)
    }
}

impl producer::Host for State {
    fn send(
        &mut self,
        _client: Resource<Client>,
        topic: String,
        message: Resource<Letter>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(letter::send(self, &topic, message)?.map_err(|unpublished| error(&unpublished)))
    }
}

impl request_reply::Host for State {
    fn request(
        &mut self,
        _client: Resource<Client>,
        topic: String,
        _message: Resource<Letter>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Vec<Resource<Letter>>, types::Error>> {
        if let Some(options) = options {
            letter::discard(self, options)?;
        }
        Ok(Err(types::Error::Other(super::no_requests(self, &topic))))
    }

    fn reply(
        &mut self,
        to: Resource<Letter>,
        answer: Resource<Letter>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(letter::reply(self, &to, answer)?.map_err(|unpublished| error(&unpublished)))
    }
}
