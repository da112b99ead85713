//! Which interface a component is called by: our own, or that of another host. Told by type, and never by name alone.

use std::future::poll_fn;

use wasmtime::Store;
use wasmtime::component::{Accessor, HasSelf, Instance, InstancePre, Linker};

use crate::message::Message;
use crate::policy::Failure;

use super::super::engine::Abi;
use super::super::state::State;
use super::super::wit;
use super::carried::{Capacity, Carried};
use super::ours::{self, Whole};
use super::{letter, logging, messaging, messaging_async, wasmcloud_2, wasmcloud_3};

/// An interface that handlers export. In the order in which they are looked for: of a component that exports several, the
/// first is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sandbox) enum Flavour {
    /// `warren:handler`.
    Ours,
    /// `wasmcloud:messaging@0.3.0`.
    Wasmcloud3,
    /// `wasmcloud:messaging@0.2.0`.
    Wasmcloud2,
    /// `wasi:messaging@0.2.0-draft`.
    Messaging,
    /// The same with asynchronous functions.
    MessagingAsync,
}

/// A component that is ready to be instantiated, and how it is called.
#[derive(Clone)]
pub(in crate::sandbox) enum World {
    Ours(wit::HandlerPre<State>),
    Wasmcloud3(wasmcloud_3::wit::WasmcloudThreePre<State>),
    Wasmcloud2(wasmcloud_2::wit::WasmcloudTwoPre<State>),
    Messaging(messaging::wit::WasiMessagingPre<State>),
    MessagingAsync(messaging_async::wit::WasiMessagingAsyncPre<State>),
}

/// An instance, and how it is called.
pub(in crate::sandbox) enum Bound {
    Ours(wit::Handler),
    Wasmcloud3(wasmcloud_3::wit::WasmcloudThree),
    Wasmcloud2(wasmcloud_2::wit::WasmcloudTwo),
    Messaging(messaging::wit::WasiMessaging),
    MessagingAsync(messaging_async::wit::WasiMessagingAsync),
}

/// A message as it is handed over.
pub(in crate::sandbox) enum Input {
    Ours(Whole),
    Other(Carried),
}

impl Flavour {
    pub(in crate::sandbox) const ALL: [Self; 5] =
        [Self::Ours, Self::Wasmcloud3, Self::Wasmcloud2, Self::Messaging, Self::MessagingAsync];

    /// The interface that is called.
    pub(in crate::sandbox) fn export(self) -> &'static str {
        match self {
            Self::Ours => "warren:handler/consumer@0.1.0",
            Self::Wasmcloud3 => "wasmcloud:messaging/handler@0.3.0",
            Self::Wasmcloud2 => "wasmcloud:messaging/handler@0.2.0",
            Self::Messaging | Self::MessagingAsync => "wasi:messaging/incoming-handler@0.2.0-draft",
        }
    }

    /// Whether an export has the name of that interface, in this version or a compatible one.
    pub(in crate::sandbox) fn is_export(self, name: &str) -> bool {
        match self.export().strip_suffix(".0") {
            Some(compatible) => name.strip_prefix(compatible).is_some_and(|patch| patch.starts_with('.')),
            None => name == self.export(), // a draft is compatible with nothing else
        }
    }

    /// The package of that interface.
    pub(in crate::sandbox) fn name(self) -> &'static str {
        match self {
            Self::Ours => "warren:handler@0.1.0",
            Self::Wasmcloud3 => "wasmcloud:messaging@0.3.0",
            Self::Wasmcloud2 => "wasmcloud:messaging@0.2.0",
            Self::Messaging => "wasi:messaging@0.2.0-draft",
            Self::MessagingAsync => "wasi:messaging@0.2.0-draft (asynchronous)",
        }
    }

    /// Gives components what they may import beside WASI and our own. The two forms of `wasi:messaging` have the same names,
    /// so that only one of them is in a linker.
    pub(in crate::sandbox) fn link(self, linker: &mut Linker<State>, abi: Abi) -> wasmtime::Result<()> {
        type Own = HasSelf<State>;
        logging::wit::Logs::add_to_linker::<_, Own>(linker, |state| state)?;
        wasmcloud_2::wit::WasmcloudTwo::add_to_linker::<_, Own>(linker, |state| state)?;
        if abi == Abi::Asynchronous {
            wasmcloud_3::wit::WasmcloudThree::add_to_linker::<_, Own>(linker, |state| state)?;
        }
        match self {
            Self::MessagingAsync => {
                messaging_async::wit::WasiMessagingAsync::add_to_linker::<_, Own>(linker, |state| state)
            }
            Self::Ours | Self::Wasmcloud3 | Self::Wasmcloud2 | Self::Messaging => {
                messaging::wit::WasiMessaging::add_to_linker::<_, Own>(linker, |state| state)
            }
        }
    }
}

impl World {
    /// The component, if it is of this flavour; the error says where its types are others.
    pub(in crate::sandbox) fn new(flavour: Flavour, pre: InstancePre<State>) -> wasmtime::Result<Self> {
        Ok(match flavour {
            Flavour::Ours => Self::Ours(wit::HandlerPre::new(pre)?),
            Flavour::Wasmcloud3 => Self::Wasmcloud3(wasmcloud_3::wit::WasmcloudThreePre::new(pre)?),
            Flavour::Wasmcloud2 => Self::Wasmcloud2(wasmcloud_2::wit::WasmcloudTwoPre::new(pre)?),
            Flavour::Messaging => Self::Messaging(messaging::wit::WasiMessagingPre::new(pre)?),
            Flavour::MessagingAsync => {
                Self::MessagingAsync(messaging_async::wit::WasiMessagingAsyncPre::new(pre)?)
            }
        })
    }

    pub(in crate::sandbox) fn flavour(&self) -> Flavour {
        match self {
            Self::Ours(_) => Flavour::Ours,
            Self::Wasmcloud3(_) => Flavour::Wasmcloud3,
            Self::Wasmcloud2(_) => Flavour::Wasmcloud2,
            Self::Messaging(_) => Flavour::Messaging,
            Self::MessagingAsync(_) => Flavour::MessagingAsync,
        }
    }

    /// What of a message another host's component is handed; none if it is one of ours, which are handed everything.
    pub(in crate::sandbox) fn carried(&self, message: &Message) -> Option<Carried> {
        let capacity = match self {
            Self::Ours(_) => return None,
            Self::Wasmcloud3(_) | Self::Wasmcloud2(_) => Capacity::Plain,
            Self::Messaging(_) | Self::MessagingAsync(_) => Capacity::Metadata,
        };
        Some(Carried::new(message, capacity))
    }

    pub(in crate::sandbox) fn instance_pre(&self) -> &InstancePre<State> {
        match self {
            Self::Ours(pre) => pre.instance_pre(),
            Self::Wasmcloud3(pre) => pre.instance_pre(),
            Self::Wasmcloud2(pre) => pre.instance_pre(),
            Self::Messaging(pre) => pre.instance_pre(),
            Self::MessagingAsync(pre) => pre.instance_pre(),
        }
    }

    pub(in crate::sandbox) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Bound> {
        Ok(match self {
            Self::Ours(pre) => Bound::Ours(pre.instantiate_async(store).await?),
            Self::Wasmcloud3(pre) => Bound::Wasmcloud3(pre.instantiate_async(store).await?),
            Self::Wasmcloud2(pre) => Bound::Wasmcloud2(pre.instantiate_async(store).await?),
            Self::Messaging(pre) => Bound::Messaging(pre.instantiate_async(store).await?),
            Self::MessagingAsync(pre) => Bound::MessagingAsync(pre.instantiate_async(store).await?),
        })
    }
}

impl World {
    /// An instance that was made of it, as far as its exports are what they say.
    pub(in crate::sandbox) fn bind(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
    ) -> wasmtime::Result<Bound> {
        Ok(match self {
            Self::Ours(_) => Bound::Ours(wit::Handler::new(store, instance)?),
            Self::Wasmcloud3(_) => Bound::Wasmcloud3(wasmcloud_3::wit::WasmcloudThree::new(store, instance)?),
            Self::Wasmcloud2(_) => Bound::Wasmcloud2(wasmcloud_2::wit::WasmcloudTwo::new(store, instance)?),
            Self::Messaging(_) => Bound::Messaging(messaging::wit::WasiMessaging::new(store, instance)?),
            Self::MessagingAsync(_) => {
                Bound::MessagingAsync(messaging_async::wit::WasiMessagingAsync::new(store, instance)?)
            }
        })
    }
}

/// Waits for tasks that the guest has left running. What they publish is of this call, and not of the next one's.
async fn finished(accessor: &Accessor<State>) {
    poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
}

impl Bound {
    /// Hands a message over.
    pub(in crate::sandbox) async fn call(
        &self,
        store: &mut Store<State>,
        input: Input,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match (self, input) {
            (Self::Ours(guest), Input::Ours(message)) => ours::call(guest, store, &message).await,
            (Self::Wasmcloud2(guest), Input::Other(message)) => {
                let message = wasmcloud_2::input(message);
                let handler = guest.wasmcloud_messaging_handler();
                Ok(handler.call_handle_message(store, &message).await?.map_err(wasmcloud_2::failure))
            }
            (Self::Wasmcloud3(guest), Input::Other(message)) => {
                let message = wasmcloud_3::input(&mut *store, message)?;
                let handler = guest.wasmcloud_messaging_handler();
                let called = store.run_concurrent(async |accessor| {
                    let answer = handler.call_handle_message(accessor, message).await?;
                    finished(accessor).await;
                    Ok::<_, wasmtime::Error>(answer)
                });
                Ok(called.await??.map_err(wasmcloud_3::failure))
            }
            (Self::Messaging(guest), Input::Other(message)) => {
                let message = letter::received(store.data_mut(), message)?;
                let handler = guest.wasi_messaging_incoming_handler();
                Ok(handler.call_handle(store, message).await?.map_err(messaging::failure))
            }
            (Self::MessagingAsync(guest), Input::Other(message)) => {
                let message = letter::received(store.data_mut(), message)?;
                let handler = guest.wasi_messaging_incoming_handler();
                let called = store.run_concurrent(async |accessor| {
                    let answer = handler.call_handle(accessor, message).await?;
                    finished(accessor).await;
                    Ok::<_, wasmtime::Error>(answer)
                });
                Ok(called.await??.map_err(messaging_async::failure))
            }
            (_, Input::Ours(_)) | (Self::Ours(_), Input::Other(_)) => {
                wasmtime::bail!("a message in the form of another interface")
            }
        }
    }
}
