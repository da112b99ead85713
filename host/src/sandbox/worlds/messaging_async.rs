//! Handlers of `wasi:messaging@0.2.0-draft` in the form that has its functions asynchronous.

use wasmtime::component::{Accessor, HasSelf, Resource};

use crate::policy::Failure;

use super::super::state::State;
use super::Unpublished;
use super::letter::{self, Client, Letter, RequestOptions, letters};

pub(in crate::sandbox) mod wit {
    wasmtime::component::bindgen!({
        inline: "
            package warren:other;
            world wasi-messaging-async {
                import wasi:messaging/producer@0.2.0-draft;
                import wasi:messaging/request-reply@0.2.0-draft;
                export wasi:messaging/incoming-handler@0.2.0-draft;
            }
        ",
        path: ["../wit/other/wasi-messaging-async"],
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
    fn disconnect(&mut self, _client: Resource<Client>) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(Ok(()))
    }

    fn drop(&mut self, client: Resource<Client>) -> wasmtime::Result<()> {
        letter::discard(self, client)
    }
}

impl<T: Send> types::HostClientWithStore<T> for HasSelf<State> {
    async fn connect(
        accessor: &Accessor<T, Self>,
        _name: String,
    ) -> wasmtime::Result<Result<Resource<Client>, types::Error>> {
        accessor.with(|mut access| letter::keep(access.get(), Client)).map(Ok)
    }
}

impl producer::Host for State {}

impl<T: Send> producer::HostWithStore<T> for HasSelf<State> {
    async fn send(
        accessor: &Accessor<T, Self>,
        _client: Resource<Client>,
        topic: String,
        message: Resource<Letter>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let sent = accessor.with(|mut access| letter::send(access.get(), &topic, message))?;
        Ok(sent.map_err(|unpublished| error(&unpublished)))
    }
}

impl request_reply::Host for State {}

impl<T: Send> request_reply::HostWithStore<T> for HasSelf<State> {
    async fn request(
        accessor: &Accessor<T, Self>,
        _client: Resource<Client>,
        topic: String,
        _message: Resource<Letter>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Vec<Resource<Letter>>, types::Error>> {
        accessor.with(|mut access| {
            if let Some(options) = options {
                letter::discard(access.get(), options)?;
            }
            Ok(Err(types::Error::Other(super::no_requests(access.get(), &topic))))
        })
    }

    async fn reply(
        accessor: &Accessor<T, Self>,
        to: Resource<Letter>,
        answer: Resource<Letter>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let sent = accessor.with(|mut access| letter::reply(access.get(), &to, answer))?;
        Ok(sent.map_err(|unpublished| error(&unpublished)))
    }
}
