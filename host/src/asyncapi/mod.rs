//! Contract -> AsyncAPI 3.1 document, with AMQP bindings 0.3.0.
//!
//! Pure. What AsyncAPI has a word for is said in that word, so that any tool reads it; what only AMQP knows is in
//! `x-amqp-...` extensions of the channels, and what only Warren knows in `x-warren`. So nothing of one contract is lost,
//! and `import` makes a contract of the document again. What belongs to other domains is there as far as it is used.

mod bound;
mod channels;
mod messages;
pub(crate) mod names;
mod operations;
pub(crate) mod schemas;
mod server;
#[cfg(test)]
pub(crate) mod tests;

use crate::contract::routes::Routes;
use crate::contract::{Contract, STACK_BYTES};
use crate::yaml::{Mapping, Node};

pub use server::Server;

use channels::Channels;
use names::Names;
use operations::Operations;

/// The version of AsyncAPI that is written.
const ASYNCAPI: &str = "3.1.0";
/// The version of AsyncAPI's AMQP bindings that is written.
const BINDING_VERSION: &str = "0.3.0";
/// What AsyncAPI is told of a contract without a version, because it wants one.
pub(crate) const NO_VERSION: &str = "0.0.0";

/// The document of `contract`, which is on `servers`.
pub fn document(contract: &Contract, servers: &[Server]) -> Node {
    let names = Names::of(contract);
    let mut vhosts = servers.iter().map(|server| server.vhost.as_deref());
    let vhost = vhosts.next().filter(|first| vhosts.all(|other| other == *first)).flatten();
    let routes = Routes::new(contract);
    let channels = Channels { contract, names: &names, routes, vhost: vhost.map(decoded) };
    let operations = Operations { contract, names: &names };
    let mut info = Mapping::default();
    let version = if contract.version.is_empty() { NO_VERSION } else { &contract.version };
    info.set("title", &contract.name).set("version", version);
    info.set_some("description", contract.description.as_ref());
    let mut described = Mapping::default();
    for server in servers {
        described.set(&server.name, server.node());
    }
    let mut ours = Mapping::default();
    ours.set("memoryMiB", contract.memory_bytes_max / (1024 * 1024));
    ours.set_some("concurrency", contract.concurrency.map(u32::from));
    let stack = Some(contract.stack_bytes_max).filter(|bytes| *bytes != STACK_BYTES);
    ours.set_some("stackKiB", stack.map(|bytes| (bytes / 1024) as u64));
    let mut document = Mapping::default();
    document
        .set("asyncapi", ASYNCAPI)
        .set("info", info)
        .set("defaultContentType", "application/json")
        .set_full("servers", described)
        .set_full("channels", channels.all())
        .set_full("operations", operations.all())
        .set_full("components", messages::components(contract, &names))
        .set("x-warren", ours);
    document.into()
}

/// A vhost as it is, of the way it is written in a URL.
fn decoded(vhost: &str) -> String {
    percent_encoding::percent_decode_str(vhost).decode_utf8_lossy().into_owned()
}
