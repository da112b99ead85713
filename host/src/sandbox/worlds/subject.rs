//! Where a component of another host publishes to: its subject or topic, read as one of the publishers that the contract
//! grants.
//!
//! Such a component knows one text where the contract has a name, an exchange and a routing key. It is taken as the name of
//! a publisher, else as `exchange/routing-key`, else as a routing key alone. It has to be clear which publisher is meant:
//! the schema of its message is what the publication is held against.

use std::sync::Arc;

use crate::contract::Publisher;

use super::super::outbox::Grants;

/// A publisher, and the routing key to publish with where it does not follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) publisher: String,
    pub(super) routing_key: Option<String>,
}

/// Why a subject is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Astray {
    #[error("it is a publisher of the contract that the consumer's `publishes` does not list")]
    NotGranted,
    #[error(
        "it is neither the name, nor `exchange/routing-key`, nor the routing key of a publisher that the consumer's `publishes` lists{}",
        listed(.0)
    )]
    Unknown(Vec<String>),
    #[error("it is the routing key of several publishers that are granted ({}): the name of one would be clear", .0.join(", "))]
    Ambiguous(Vec<String>),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "; it lists none".to_owned() } else { format!(" ({})", names.join(", ")) }
}

/// Which publisher a subject means.
pub(super) fn target(grants: &Grants, subject: &str) -> Result<Target, Astray> {
    if grants.granted.contains_key(subject) {
        return Ok(Target { publisher: subject.to_owned(), routing_key: None });
    }
    let addressed = |publisher: &Arc<Publisher>| {
        let key = subject.strip_prefix(publisher.exchange.as_str())?.strip_prefix('/')?;
        matching(publisher, key)
    };
    let by_address: Vec<Target> = grants.granted.values().filter_map(addressed).collect();
    if !by_address.is_empty() {
        return one(by_address);
    }
    let by_key: Vec<Target> =
        grants.granted.values().filter_map(|publisher| matching(publisher, subject)).collect();
    if !by_key.is_empty() {
        return one(by_key);
    }
    if grants.known.contains(subject) {
        return Err(Astray::NotGranted);
    }
    Err(Astray::Unknown(grants.granted.keys().cloned().collect()))
}

/// The publisher, if it can publish with this key.
fn matching(publisher: &Publisher, key: &str) -> Option<Target> {
    publisher.key_for(Some(key)).ok()?;
    Some(Target { publisher: publisher.name.clone(), routing_key: Some(key.to_owned()) })
}

fn one(mut targets: Vec<Target>) -> Result<Target, Astray> {
    match targets.pop() {
        Some(target) if targets.is_empty() => Ok(target),
        last => {
            let all = targets.into_iter().chain(last);
            Err(Astray::Ambiguous(all.map(|target| target.publisher).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Contract, Surroundings};

    const CONTRACT: &str = "
contract: subjects
version: 1.0.0
exchanges: { orders: { type: topic }, payments: { type: topic }, dlx: { type: direct } }
messages: { any: { payload: { type: object } } }
events:
  created: { exchange: orders, routingKey: order.created, message: any, externalConsumers: true }
  paid: { exchange: payments, routingKey: paid, message: any, externalConsumers: true }
  paidLate: { exchange: payments, routingKey: paid, message: any, externalConsumers: true }
  secret: { exchange: orders, routingKey: order.secret, message: any, externalConsumers: true }
commands:
  charge: { exchange: payments, routingKey: 'charge.*', message: any, externalConsumers: true }
publishers:
  toQueue: { exchange: '', routingKey: work, message: any }
queues: { work: { onPoison: drop } }
";

    fn grants(granted: &[&str]) -> Grants {
        let read_file = |_: &str| Err(std::io::Error::other("no files"));
        let variable = |_: &str| None;
        let surroundings = Surroundings { read_file: &read_file, variable: &variable };
        let contract = Contract::parse("c.yaml", CONTRACT, surroundings).unwrap();
        let publishers = contract.publishers.iter().filter(|(name, _)| granted.contains(&name.as_str()));
        Grants {
            granted: publishers.map(|(name, publisher)| (name.clone(), Arc::clone(publisher))).collect(),
            known: contract.publishers.keys().cloned().collect(),
        }
    }

    fn found(granted: &[&str], subject: &str) -> Result<(String, Option<String>), Astray> {
        target(&grants(granted), subject).map(|target| (target.publisher, target.routing_key))
    }

    #[test]
    fn a_subject_is_a_name_an_address_or_a_key() {
        let all = ["created", "charge", "toQueue"];
        let keyed = |name: &str, key: &str| Ok((name.to_owned(), Some(key.to_owned())));
        assert_eq!(found(&all, "created"), Ok(("created".to_owned(), None)));
        assert_eq!(found(&all, "orders/order.created"), keyed("created", "order.created"));
        assert_eq!(found(&all, "order.created"), keyed("created", "order.created"));
        assert_eq!(found(&all, "charge.card"), keyed("charge", "charge.card"));
        assert_eq!(found(&all, "payments/charge.card"), keyed("charge", "charge.card"));
        assert_eq!(found(&all, "work"), keyed("toQueue", "work"));
        assert_eq!(found(&all, "/work"), keyed("toQueue", "work"));
    }

    #[test]
    fn what_is_not_granted_is_told_from_what_does_not_exist() {
        assert_eq!(found(&["created"], "secret"), Err(Astray::NotGranted));
        let listed = vec!["created".to_owned()];
        for nowhere in ["order.secret", "orders/order.secret", "orders", "", "/", "charge.card.now"] {
            assert_eq!(found(&["created"], nowhere), Err(Astray::Unknown(listed.clone())), "{nowhere}");
        }
        assert_eq!(found(&[], "created"), Err(Astray::NotGranted));
    }

    #[test]
    fn a_key_of_two_publishers_is_none() {
        let both = Err(Astray::Ambiguous(vec!["paid".to_owned(), "paidLate".to_owned()]));
        // `paid` is also a name; a name is clear.
        assert_eq!(found(&["paid", "paidLate"], "paid"), Ok(("paid".to_owned(), None)));
        assert_eq!(found(&["paid", "paidLate"], "payments/paid"), both);
        assert_eq!(found(&["paidLate"], "payments/paid").unwrap().0, "paidLate");
    }
}
