//! Looks up what a name refers to: in this contract, or as `domain/name` in that of another domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::domains::Domain;
use super::super::problem::Problem;
use super::super::raw;
use super::super::{ExchangeType, Message, Owner};
use super::{Checker, Messages};

/// An event or a command, wherever it is defined.
pub(super) struct Flow {
    /// Name of the exchange on the broker.
    pub(super) exchange: String,
    pub(super) kind: ExchangeType,
    pub(super) routing_key: Option<String>,
    pub(super) message: Option<Arc<Message>>,
    pub(super) owner: Owner,
}

/// One of the two kinds of flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FlowKind {
    Event,
    Command,
}

impl FlowKind {
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Command => "command",
        }
    }
}

/// The parts of an event or command that both have.
pub(super) struct Parts<'r> {
    pub(super) exchange: &'r str,
    pub(super) routing_key: Option<&'r str>,
    pub(super) message: &'r str,
}

pub(super) fn parts<'r>(contract: &'r raw::Contract, kind: FlowKind, name: &str) -> Option<Parts<'r>> {
    match kind {
        FlowKind::Event => contract.events.get(name).map(|event| Parts {
            exchange: &event.exchange,
            routing_key: event.routing_key.as_deref(),
            message: &event.message,
        }),
        FlowKind::Command => contract.commands.get(name).map(|command| Parts {
            exchange: &command.exchange,
            routing_key: command.routing_key.as_deref(),
            message: &command.message,
        }),
    }
}

impl<'a> Checker<'a> {
    /// The domain and the name there of `domain/name`; what is defined here by that very name goes first.
    pub(super) fn foreign_name<'n>(&self, name: &'n str) -> Option<(&'a Domain, &'n str)> {
        let (alias, name) = name.split_once('/')?;
        let domain = self.domains.aliases.get(alias)?;
        Some((&self.domains.contracts[*domain], name))
    }

    /// The exchange that `name` refers to: its name on the broker, and how it routes.
    pub(super) fn exchange(&mut self, at: &str, name: &str) -> Option<(String, ExchangeType)> {
        if name.is_empty() {
            return Some((String::new(), ExchangeType::Direct));
        }
        if let Some(exchange) = self.raw.exchanges.get(name) {
            return Some((name.to_owned(), exchange.kind));
        }
        let known = self.raw.exchanges.keys().map(String::as_str).collect();
        let (domain, theirs) = self.foreign_or_report(at, "exchange", name, known)?;
        match domain.raw.exchanges.get(theirs) {
            Some(exchange) => Some((theirs.to_owned(), exchange.kind)),
            None => {
                self.not_there(at, "exchange", domain, theirs, domain.raw.exchanges.keys());
                None
            }
        }
    }

    /// The event or command that `name` refers to.
    pub(super) fn flow(&mut self, at: &str, kind: FlowKind, name: &str, messages: &Messages) -> Option<Flow> {
        if let Some(parts) = parts(self.raw, kind, name) {
            // What it refers to itself is reported there.
            let exchange = self.quietly(|checker| checker.exchange(at, parts.exchange))?;
            let message = self.quietly(|checker| checker.message(at, parts.message, messages));
            return Some(Flow {
                exchange: exchange.0,
                kind: exchange.1,
                routing_key: parts.routing_key.map(str::to_owned),
                message,
                owner: Owner::Us,
            });
        }
        let known = match kind {
            FlowKind::Event => self.raw.events.keys().map(String::as_str).collect(),
            FlowKind::Command => self.raw.commands.keys().map(String::as_str).collect(),
        };
        let (domain, theirs) = self.foreign_or_report(at, kind.noun(), name, known)?;
        let Some(parts) = parts(&domain.raw, kind, theirs) else {
            match kind {
                FlowKind::Event => self.not_there(at, "event", domain, theirs, domain.raw.events.keys()),
                FlowKind::Command => {
                    self.not_there(at, "command", domain, theirs, domain.raw.commands.keys())
                }
            }
            return None;
        };
        let (exchange, exchange_kind) = self.their_exchange(domain, parts.exchange)?;
        let message = self.foreign_message(at, domain, parts.message);
        Some(Flow {
            exchange,
            kind: exchange_kind,
            routing_key: parts.routing_key.map(str::to_owned),
            message,
            owner: Owner::Domain(domain.name.clone()),
        })
    }

    /// The exchange that a domain calls `name`, which may be a third one's.
    pub(super) fn their_exchange(&self, domain: &Domain, name: &str) -> Option<(String, ExchangeType)> {
        if name.is_empty() {
            return Some((String::new(), ExchangeType::Direct));
        }
        if let Some(exchange) = domain.raw.exchanges.get(name) {
            return Some((name.to_owned(), exchange.kind));
        }
        let (alias, theirs) = name.split_once('/')?;
        let exchanges = match domain.aliases.get(alias)? {
            Some(index) => &self.domains.contracts[*index].raw.exchanges,
            None => &self.raw.exchanges,
        };
        exchanges.get(theirs).map(|exchange| (theirs.to_owned(), exchange.kind))
    }

    /// The event or command that a domain calls `name`: its exchange and key.
    pub(super) fn their_flow(
        &self,
        domain: &Domain,
        kind: FlowKind,
        name: &str,
    ) -> Option<(String, ExchangeType, Option<String>)> {
        let own = |domain: &Domain, parts: &Parts<'_>| {
            let (exchange, kind) = self.their_exchange(domain, parts.exchange)?;
            Some((exchange, kind, parts.routing_key.map(str::to_owned)))
        };
        if let Some(parts) = parts(&domain.raw, kind, name) {
            return own(domain, &parts);
        }
        let (alias, theirs) = name.split_once('/')?;
        match domain.aliases.get(alias)? {
            Some(index) => {
                let third = &self.domains.contracts[*index];
                own(third, &parts(&third.raw, kind, theirs)?)
            }
            None => {
                let parts = parts(self.raw, kind, theirs)?;
                let exchange = self.raw.exchanges.get(parts.exchange)?;
                Some((parts.exchange.to_owned(), exchange.kind, parts.routing_key.map(str::to_owned)))
            }
        }
    }

    /// The message that `name` refers to.
    pub(super) fn message(&mut self, at: &str, name: &str, messages: &Messages) -> Option<Arc<Message>> {
        if self.raw.messages.contains_key(name) {
            return messages.get(name).cloned();
        }
        let known = self.raw.messages.keys().map(String::as_str).collect();
        let (domain, theirs) = self.foreign_or_report(at, "message", name, known)?;
        self.foreign_message(at, domain, theirs)
    }

    fn foreign_message(&mut self, at: &str, domain: &'a Domain, theirs: &str) -> Option<Arc<Message>> {
        // A domain may itself use a third one's.
        let (domain, theirs) = match theirs.split_once('/') {
            Some((alias, name)) if !domain.raw.messages.contains_key(theirs) => {
                match domain.aliases.get(alias)? {
                    Some(index) => (&self.domains.contracts[*index], name),
                    None => (domain, theirs),
                }
            }
            _ => (domain, theirs),
        };
        let full = format!("{}/{theirs}", domain.name);
        if let Some(message) = self.foreign_messages.get(&full) {
            return Some(Arc::clone(message));
        }
        let Some(raw) = domain.raw.messages.get(theirs) else {
            self.not_there(at, "message", domain, theirs, domain.raw.messages.keys());
            return None;
        };
        let message = self.compile_foreign(at, domain, theirs, &full, raw)?;
        self.foreign_messages.insert(full, Arc::clone(&message));
        Some(message)
    }

    /// Looks a queue up, and reports it if there is no such thing.
    pub(super) fn known<'t, T>(
        &mut self,
        at: &str,
        what: &str,
        name: &str,
        things: &'t BTreeMap<String, T>,
    ) -> Option<&'t T> {
        let found = things.get(name);
        if found.is_none() {
            self.incomplete = true;
            self.refuse(
                Problem::at(at, format!("no {what} is called `{name}`"))
                    .suggest(name, things.keys().map(String::as_str)),
            );
        }
        found
    }

    fn foreign_or_report<'n>(
        &mut self,
        at: &str,
        what: &str,
        name: &'n str,
        known: Vec<&str>,
    ) -> Option<(&'a Domain, &'n str)> {
        let found = self.foreign_name(name);
        if found.is_none() {
            self.incomplete = true;
            let problem = match name.split_once('/') {
                None => Problem::at(at, format!("no {what} is called `{name}`")).suggest(name, known),
                Some((alias, _)) if self.raw.domains.is_empty() => {
                    Problem::at(at, format!("no {what} is called `{name}`"))
                        .hint(format!("if `{alias}` is another domain, name its contract in `domains`"))
                }
                Some((alias, _)) => Problem::at(at, format!("no domain is called `{alias}`"))
                    .because(format!("`{name}` is the {what} of a domain"))
                    .suggest(alias, self.raw.domains.keys().map(String::as_str)),
            };
            // A domain that could not be read has been reported.
            if !name.split_once('/').is_some_and(|(alias, _)| self.raw.domains.contains_key(alias)) {
                self.refuse(problem);
            }
        }
        found
    }

    fn not_there<'k>(
        &mut self,
        at: &str,
        what: &str,
        domain: &Domain,
        name: &str,
        known: impl Iterator<Item = &'k String>,
    ) {
        self.incomplete = true;
        let says = format!("no {what} of the domain `{}` is called `{name}`", domain.name);
        self.refuse(Problem::at(at, says).suggest(name, known.map(String::as_str)));
    }

    /// Does something whose problems are reported elsewhere.
    fn quietly<T>(&mut self, doing: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.problems.len();
        let done = doing(self);
        self.problems.truncate(before);
        done
    }
}
