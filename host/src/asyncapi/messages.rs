//! Messages and their schemas, as components.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::contract::{Contract, Encoding, Example, Message};
use crate::yaml::{Mapping, Node};

use super::BINDING_VERSION;
use super::names::{Ids, Names, reference};
use super::schemas;

/// The name of the one kind of correlation id.
const CORRELATION: &str = "correlationId";

/// The `components` of the document.
pub(super) fn components(contract: &Contract, names: &Names<'_>) -> Mapping {
    let asked: BTreeSet<&str> = contract
        .rpcs
        .values()
        .flat_map(|rpc| [&rpc.request, &rpc.response].into_iter().chain(rpc.errors.values()))
        .map(|message| message.name.as_str())
        .collect();
    let mut ids = Ids::default();
    let (mut messages, mut components) = (Mapping::default(), Mapping::default());
    let mut found = Mapping::default();
    for (name, (id, message)) in &names.messages {
        let payload = ids.id(id, "payload");
        found.set(&payload, schemas::component(&message.payload_schema, &payload));
        let headers = message.headers_schema.as_ref().map(|schema| {
            let id = ids.id(&format!("{id}.headers"), "headers");
            found.set(&id, schemas::component(&of_headers(schema), &id));
            id
        });
        messages.set(id, message_node(id, message, &payload, headers.as_deref(), asked.contains(name)));
    }
    components.set_full("messages", messages).set_full("schemas", found);
    if !asked.is_empty() {
        let mut location = Mapping::default();
        location
            .set("description", "The AMQP property `correlation-id`, by which an answer is told from others.")
            .set("location", "$message.header#/correlationId");
        let mut ids = Mapping::default();
        ids.set(CORRELATION, location);
        components.set("correlationIds", ids);
    }
    components
}

fn message_node(id: &str, message: &Message, payload: &str, headers: Option<&str>, asked: bool) -> Mapping {
    let mut node = Mapping::default();
    node.set("name", &message.name);
    node.set_some("summary", message.summary.as_ref());
    node.set_some("description", message.description.as_ref());
    node.set("contentType", &message.content_type);
    node.set("payload", reference(&["components", "schemas", payload]));
    node.set_some("headers", headers.map(|headers| reference(&["components", "schemas", headers])));
    if asked {
        node.set("correlationId", reference(&["components", "correlationIds", CORRELATION]));
    }
    let mut amqp = Mapping::default();
    let encoding = message.content_encoding.map(|encoding| match encoding {
        Encoding::Gzip => "gzip",
        Encoding::Deflate => "deflate",
    });
    amqp.set_some("contentEncoding", encoding);
    amqp.set("messageType", &message.name).set("bindingVersion", BINDING_VERSION);
    let mut bindings = Mapping::default();
    bindings.set("amqp", amqp);
    node.set("bindings", bindings);
    let examples = message.examples.iter().map(example).collect::<Vec<_>>();
    let mut ours = Mapping::default();
    if id != message.name {
        ours.set("name", &message.name);
    }
    ours.set_some("version", message.version.as_ref());
    ours.set("maxBodyBytes", message.max_body_bytes);
    if message.is_json() {
        node.set_full("examples", examples);
    } else {
        // What is no JSON is not held against the schema, and readers of the document would do that.
        ours.set_full("examples", examples);
    }
    node.set("x-warren", ours);
    node
}

fn example(example: &Example) -> Node {
    let mut node = Mapping::default();
    node.set_some("name", example.name.as_ref());
    node.set_some("summary", example.summary.as_ref());
    node.set_some("headers", example.headers.clone());
    node.set("payload", example.payload.clone());
    node.into()
}

/// AsyncAPI wants to be told that headers are a mapping.
fn of_headers(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(object) = &mut schema {
        object.entry("type").or_insert(json!("object"));
    }
    schema
}
