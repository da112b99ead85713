//! The guest's own work: the same component and the same message under wasmtime alone, with the host's engine settings,
//! nothing in the store, and nothing of WASI (what a guest imports of it traps, logging takes a line and drops it).

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use warren::sandbox::{Abi, EngineOptions, new_engine};

mod wit {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "handler",
        imports: { default: trappable },
        exports: { default: async },
    });
}

use wit::warren::handler::{logging, publisher, types};

/// The state of a store that has none.
#[derive(Debug)]
pub(crate) struct Nothing;

impl types::Host for Nothing {}

impl logging::Host for Nothing {
    fn log(&mut self, _: logging::Level, _: String, _: Vec<(String, String)>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl publisher::Host for Nothing {
    fn publish(
        &mut self,
        _: String,
        _: types::Outgoing,
    ) -> wasmtime::Result<Result<String, types::PublishError>> {
        Ok(Err(types::PublishError::NotGranted))
    }
}

/// A component that is ready to be instantiated.
pub(crate) struct Bare {
    engine: Engine,
    pre: wit::HandlerPre<Nothing>,
    message: types::Message,
}

/// An instance of it.
pub(crate) struct Kept {
    store: Store<Nothing>,
    guest: wit::Handler,
}

impl Bare {
    pub(crate) fn new(component: &[u8], body: &[u8]) -> anyhow::Result<Self> {
        let engine =
            new_engine(EngineOptions { calls_max: 4, stack_bytes_max: 512 * 1024 }, Abi::Synchronous)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wit::Handler::add_to_linker::<_, HasSelf<Nothing>>(&mut linker, |nothing| nothing)?;
        linker.define_unknown_imports_as_traps(&component)?;
        let pre = wit::HandlerPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre, message: message(body) })
    }

    /// An instance in a store of its own.
    pub(crate) async fn instance(&self) -> wasmtime::Result<Kept> {
        let mut store = Store::new(&self.engine, Nothing);
        store.set_epoch_deadline(1);
        let guest = self.pre.instantiate_async(&mut store).await?;
        Ok(Kept { store, guest })
    }

    /// A call of an instance that was kept.
    pub(crate) async fn call(&self, kept: &mut Kept) -> wasmtime::Result<()> {
        kept.store.set_epoch_deadline(1);
        let called = kept.guest.warren_handler_consumer().call_handle(&mut kept.store, &self.message);
        called.await?.map_err(|failure| wasmtime::format_err!("the guest failed: {failure:?}"))
    }

    /// A call of an instance that is made for it and dropped.
    pub(crate) async fn fresh(&self) -> wasmtime::Result<()> {
        let mut kept = self.instance().await?;
        self.call(&mut kept).await
    }
}

/// What the host makes of `host::delivery`.
fn message(body: &[u8]) -> types::Message {
    let text = |text: &str| types::HeaderValue::Text(text.to_owned());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    types::Message {
        body: body.to_vec(),
        content_type: Some("application/json".to_owned()),
        headers: vec![("tenant".to_owned(), text("acme")), ("traceparent".to_owned(), text(trace))],
        exchange: "shop".to_owned(),
        routing_key: "order.placed".to_owned(),
        queue: "noop-fresh".to_owned(),
        consumer: "noop-fresh".to_owned(),
        message_id: "5f0c1c56-8f4e-4d0c-9d0a-3f1f6c0a9b11".to_owned(),
        correlation_id: Some("checkout-20261126-0001".to_owned()),
        causation_id: None,
        reply_to: None,
        message_type: Some("order".to_owned()),
        app_id: Some("shop-frontend".to_owned()),
        priority: None,
        timestamp: Some(1_795_000_000),
        attempt: 1,
        max_attempts: 6,
        redelivered: false,
        deadline_ms: 30_000,
    }
}
