//! Operations: one for each publisher, event and command, one for each consumer, and one for each rpc that is called and
//! not answered here. What a contract says beyond AsyncAPI is in the extension `x-warren`, from which `import` reads it.

use std::sync::Arc;
use std::time::Duration;

use crate::contract::{
    Access, Capabilities, Consumer, Contract, DeliveryMode, FailureAction, FileGrant, HandlerSpec, HttpGrant,
    Isolation, Limits, Message, OnFailure, Owner, Publisher, PublisherKind, Reuse, Rpc, STORE_BYTES_MAX,
    SecretGrant, StoreGrant, Takes,
};
use crate::yaml::{Mapping, Node};

use super::BINDING_VERSION;
use super::bound::bound;
use super::names::{Names, message_references, reference};

pub(super) struct Operations<'d, 'c> {
    pub(super) contract: &'c Contract,
    pub(super) names: &'d Names<'c>,
}

impl<'c> Operations<'_, 'c> {
    pub(super) fn all(&self) -> Mapping {
        let mut operations = Mapping::default();
        for (id, publisher) in self.names.publishers.values() {
            operations.set(id, self.send(id, publisher));
        }
        for (name, id) in &self.names.consumers {
            operations.set(id, self.receive(id, &self.contract.consumers[*name]));
        }
        for (name, id) in &self.names.rpcs {
            operations.set(id, self.call(id, &self.contract.rpcs[*name]));
        }
        operations
    }

    fn send(&self, id: &str, publisher: &'c Publisher) -> Mapping {
        let (kind, of) = match &publisher.kind {
            PublisherKind::Event => ("event", None),
            PublisherKind::Command => ("command", None),
            PublisherKind::OfEvent(event) => ("publisher", Some(("event", event))),
            PublisherKind::OfCommand(command) => ("publisher", Some(("command", command))),
            PublisherKind::Own => ("publisher", None),
        };
        let channel = self.names.channel(publisher);
        let mut operation = start("send", channel, publisher.summary.as_ref());
        operation.set("tags", tags(&[kind, of.map_or("", |(what, _)| what)]));
        operation.set("messages", self.message_of(channel, &publisher.message));
        let mut amqp = Mapping::default();
        let key = publisher.routing_key.as_deref().filter(|key| !key.is_empty());
        amqp.set_some("cc", key.map(|key| vec![Node::from(key)]));
        amqp.set("deliveryMode", 2_u32).set("mandatory", true);
        operation.set("bindings", bound_amqp(amqp));
        let mut ours = named(id, &publisher.name);
        ours.set("kind", kind);
        if let Some((what, name)) = of {
            ours.set(what, name);
            ours.set_some("bridgeExchange", self.bridge(publisher, name));
        }
        ours.set_some("pattern", publisher.pattern.as_ref());
        if publisher.external_consumers {
            ours.set("externalConsumers", true);
        }
        if let Owner::Domain(domain) = &publisher.owner {
            ours.set("domain", domain);
        }
        operation.set("x-warren", ours);
        operation
    }

    /// The exchange that a publisher of a command publishes to in place of the command's.
    fn bridge(&self, publisher: &'c Publisher, of: &str) -> Option<&'c str> {
        let flow = self.contract.publishers.get(of)?;
        (flow.exchange != publisher.exchange).then_some(publisher.exchange.as_str())
    }

    fn receive(&self, id: &str, consumer: &'c Consumer) -> Mapping {
        let channel = self.names.queues.get(consumer.queue.as_str()).map_or("", String::as_str);
        let mut operation = start("receive", channel, consumer.summary.as_ref());
        let takes = match &consumer.takes {
            Takes::Event(event) => ("event", Some(event)),
            Takes::Command(command) => ("command", Some(command)),
            Takes::Rpc(rpc) => ("rpc", Some(rpc)),
            Takes::Message => ("message", None),
        };
        operation.set("tags", tags(&["consumer", takes.0]));
        operation.set("messages", self.message_of(channel, &consumer.message));
        let mut amqp = Mapping::default();
        amqp.set("ack", true);
        operation.set("bindings", bound_amqp(amqp));
        let mut ours = named(id, &consumer.name);
        match takes {
            ("rpc", Some(rpc)) => {
                let rpc = &self.contract.rpcs[rpc];
                operation.set("reply", self.reply(rpc));
                ours.set("rpc", rpc_node(rpc));
            }
            (what, Some(name)) => {
                ours.set(what, name);
                let bound = bound(self.contract, consumer, name);
                ours.set_some("routingKey", bound.routing_key);
                ours.set_some("bridgeExchange", bound.bridge);
                ours.set_some("headers", bound.headers);
                let flow = self.contract.publishers.get(name);
                if flow.is_some_and(|flow| flow.message.name != consumer.message.name) {
                    ours.set("message", &consumer.message.name);
                }
            }
            (_, None) => {}
        }
        let usual = Limits::usual(&self.contract.publishers, &consumer.publishes);
        ours.set("handler", handler(&consumer.handler, &usual));
        ours.set("prefetch", u32::from(consumer.prefetch));
        let publishes = consumer.publishes.iter().map(Node::from).collect::<Vec<_>>();
        ours.set_full("publishes", publishes);
        ours.set_full("capabilities", capabilities(&consumer.capabilities));
        ours.set_full("onFailure", on_failure(&consumer.on_failure));
        if consumer.delivery == DeliveryMode::AtMostOnce {
            ours.set("delivery", consumer.delivery.word());
        }
        operation.set("x-warren", ours);
        operation
    }

    /// An rpc that somebody else answers.
    fn call(&self, id: &str, rpc: &'c Rpc) -> Mapping {
        let channel = self.names.queues.get(rpc.queue.as_str()).map_or("", String::as_str);
        let mut operation = start("send", channel, rpc.summary.as_ref());
        operation.set("tags", tags(&["rpc", ""]));
        operation.set("messages", self.message_of(channel, &rpc.request));
        let mut amqp = Mapping::default();
        amqp.set("expiration", ms(rpc.timeout)).set("deliveryMode", 2_u32).set("mandatory", true);
        operation.set("bindings", bound_amqp(amqp));
        operation.set("reply", self.reply(rpc));
        let mut ours = named(id, &rpc.name);
        ours.set("rpc", rpc_node(rpc));
        operation.set("x-warren", ours);
        operation
    }

    fn reply(&self, rpc: &'c Rpc) -> Mapping {
        let channel = self.names.replies.get(rpc.name.as_str()).map_or("", String::as_str);
        let (mut reply, mut address) = (Mapping::default(), Mapping::default());
        address
            .set("description", "The AMQP property `reply-to` of the request, a queue.")
            .set("location", "$message.header#/replyTo");
        let mut ids: Vec<String> = Vec::new();
        for message in [&rpc.response].into_iter().chain(rpc.errors.values()) {
            let id = self.names.message(message).to_owned();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        reply
            .set("address", address)
            .set("channel", reference(&["channels", channel]))
            .set("messages", message_references(channel, ids.into_iter()));
        reply
    }

    fn message_of(&self, channel: &str, message: &'c Arc<Message>) -> Node {
        message_references(channel, std::iter::once(self.names.message(message).to_owned()))
    }
}

fn start(action: &str, channel: &str, summary: Option<&String>) -> Mapping {
    let mut operation = Mapping::default();
    operation.set("action", action).set("channel", reference(&["channels", channel]));
    operation.set_some("summary", summary);
    operation
}

fn tags(names: &[&str]) -> Node {
    let tag = |name: &&str| {
        let mut tag = Mapping::default();
        tag.set("name", *name);
        Node::from(tag)
    };
    names.iter().filter(|name| !name.is_empty()).map(tag).collect::<Vec<_>>().into()
}

fn bound_amqp(mut amqp: Mapping) -> Mapping {
    amqp.set("bindingVersion", BINDING_VERSION);
    let mut bindings = Mapping::default();
    bindings.set("amqp", amqp);
    bindings
}

/// The extension, with the name of the contract where the id is not that.
fn named(id: &str, name: &str) -> Mapping {
    let mut ours = Mapping::default();
    if id != name {
        ours.set("name", name);
    }
    ours
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn rpc_node(rpc: &Rpc) -> Mapping {
    let mut node = Mapping::default();
    node.set("name", &rpc.name).set("request", &rpc.request.name).set("response", &rpc.response.name);
    let mut errors = Mapping::default();
    for (code, message) in &rpc.errors {
        errors.set(code, &message.name);
    }
    node.set_full("errors", errors).set("timeoutMs", ms(rpc.timeout));
    node.set_some("summary", rpc.summary.as_ref());
    node
}

fn handler(handler: &HandlerSpec, usual: &Limits) -> Mapping {
    let mut node = Mapping::default();
    node.set("component", &handler.component);
    node.set_some("sha256", handler.sha256.as_ref());
    if let Some(signature) = &handler.signature {
        let mut signed = Mapping::default();
        signed.set("publicKey", &signature.public_key).set("file", &signature.file);
        node.set_full("signature", signed);
    }
    let isolation = match handler.isolation {
        Isolation::Fresh => "fresh",
        Isolation::Reuse => "reuse",
    };
    node.set("isolation", isolation)
        .set("deadlineMs", ms(handler.deadline))
        .set("memoryMiB", u64::try_from(handler.memory_bytes_max / (1024 * 1024)).unwrap_or(u64::MAX))
        .set("concurrency", u32::from(handler.concurrency));
    node.set_full("reuse", reuse(&handler.reuse)).set_full("limits", limits(&handler.limits, usual));
    node
}

/// What is said otherwise than by default.
fn reuse(reuse: &Reuse) -> Mapping {
    let usual = Reuse::default();
    let mut node = Mapping::default();
    let Reuse { calls_max, age_max, growth_bytes_max } = reuse;
    node.set_some("maxCalls", (*calls_max != usual.calls_max).then_some(*calls_max))
        .set_some("maxAgeMs", (*age_max != usual.age_max).then(|| ms(*age_max)))
        .set_some(
            "maxGrowthMiB",
            (*growth_bytes_max != usual.growth_bytes_max).then_some((growth_bytes_max >> 20) as u64),
        );
    node
}

fn limits(limits: &Limits, usual: &Limits) -> Mapping {
    let mut node = Mapping::default();
    node.set_some("cpuMs", limits.cpu.map(ms));
    for (key, is, default) in
        limits.numbers().into_iter().zip(usual.numbers()).map(|((key, is), (_, usual))| (key, is, usual))
    {
        node.set_some(key, (is != default).then_some(is));
    }
    node
}

fn capabilities(capabilities: &Capabilities) -> Mapping {
    let mut config = Mapping::default();
    for (key, value) in &capabilities.config {
        config.set(key, value);
    }
    let secret = |grant: &SecretGrant| match &grant.file {
        Some(file) => {
            let mut node = Mapping::default();
            node.set("name", &grant.name).set("file", file);
            Node::from(node)
        }
        None => Node::from(&grant.name),
    };
    let origin = |grant: &HttpGrant| {
        let origin = grant.origin.to_string();
        if grant.allow_private {
            let mut node = Mapping::default();
            node.set("origin", &origin).set("allowPrivate", true);
            Node::from(node)
        } else {
            Node::from(&origin)
        }
    };
    let store = |grant: &StoreGrant| {
        if grant.bytes_max == STORE_BYTES_MAX {
            return Node::from(&grant.name);
        }
        let mut node = Mapping::default();
        node.set("name", &grant.name).set("maxMiB", grant.bytes_max / (1024 * 1024));
        Node::from(node)
    };
    let file = |grant: &FileGrant| {
        let access = match grant.access {
            Access::ReadOnly => "read-only",
            Access::ReadWrite => "read-write",
        };
        let mut node = Mapping::default();
        node.set("path", &grant.path).set("at", &grant.at).set("access", access);
        Node::from(node)
    };
    let mut node = Mapping::default();
    node.set_full("config", config)
        .set_full("secrets", capabilities.secrets.iter().map(secret).collect::<Vec<_>>())
        .set_full("http", capabilities.http.iter().map(origin).collect::<Vec<_>>())
        .set_full("files", capabilities.files.iter().map(file).collect::<Vec<_>>())
        .set_full("keyValue", capabilities.key_value.iter().map(store).collect::<Vec<_>>());
    node
}

fn on_failure(on_failure: &OnFailure) -> Mapping {
    let word = |action: FailureAction| match action {
        FailureAction::Retry => "retry",
        FailureAction::DeadLetter => "dead-letter",
    };
    let mut node = Mapping::default();
    node.set_some("transient", on_failure.transient.map(word))
        .set_some("rateLimited", on_failure.rate_limited.map(word))
        .set_some("permanent", on_failure.permanent.map(word))
        .set_some("unauthorized", on_failure.unauthorized.map(word))
        .set_some("trap", on_failure.trap.map(word))
        .set_some("deadline", on_failure.deadline.map(word))
        .set_some("memory", on_failure.memory.map(word));
    node
}
