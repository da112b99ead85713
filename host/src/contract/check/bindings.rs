//! The bindings of a contract while they are gathered, each of them once.

use std::collections::HashMap;

use super::super::{Binding, Destination};

/// Bindings, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    list: Vec<Binding>,
    /// Indices by exchange, destination and key; bindings that differ in their arguments share an entry.
    known: HashMap<(String, Destination, String), Vec<usize>>,
}

impl Bindings {
    /// The binding that is the same as `binding`, if there is one.
    pub(super) fn same(&self, binding: &Binding) -> Option<&Binding> {
        let known = self.known.get(&key(binding))?;
        known.iter().map(|index| &self.list[*index]).find(|other| other.is_same(binding))
    }

    /// Adds a binding, unless there is the same one.
    pub(super) fn add(&mut self, binding: Binding) {
        if self.same(&binding).is_none() {
            self.known.entry(key(&binding)).or_default().push(self.list.len());
            self.list.push(binding);
        }
    }

    pub(super) fn into_list(self) -> Vec<Binding> {
        self.list
    }
}

fn key(binding: &Binding) -> (String, Destination, String) {
    (binding.exchange.clone(), binding.destination.clone(), binding.routing_key.clone())
}
