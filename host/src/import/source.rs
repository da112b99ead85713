//! Finds things in an AsyncAPI document: follows references, and adds what traits bring. Documents are others', so every
//! walk is bounded.

use serde_json::{Map, Value};

use super::schemas::spend;

/// How many references may follow each other.
const HOPS_MAX: usize = 32;
/// How many traits one object may have.
const TRAITS_MAX: usize = 32;
/// How many values one trait may have; a larger one is passed over, because it is copied wherever it is used.
const TRAIT_VALUES_MAX: usize = 2_000;

/// A document, read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'d> {
    root: &'d Value,
}

/// A value, and the JSON pointer of where it stands.
#[derive(Debug, Clone)]
pub(super) struct Found<'d> {
    pub(super) value: &'d Value,
    pub(super) pointer: String,
}

impl<'d> Source<'d> {
    pub(super) fn new(root: &'d Value) -> Self {
        Self { root }
    }

    /// What is at `pointer`, after all references.
    pub(super) fn at(self, pointer: &str) -> Option<Found<'d>> {
        let value = self.root.pointer(pointer)?;
        self.follow(Found { value, pointer: pointer.to_owned() })
    }

    /// What `found` leads to, if it is a reference; itself, if not. None if that is not in the document.
    pub(super) fn follow(self, mut found: Found<'d>) -> Option<Found<'d>> {
        for _ in 0..HOPS_MAX {
            let Some(reference) = found.value.get("$ref").and_then(Value::as_str) else { return Some(found) };
            let pointer = decoded(reference.strip_prefix('#')?);
            let value = self.root.pointer(&pointer)?;
            found = Found { value, pointer };
        }
        None
    }

    /// The entry `key` of `found`, after all references.
    pub(super) fn child(self, found: &Found<'d>, key: &str) -> Option<Found<'d>> {
        let value = found.value.get(key)?;
        self.follow(Found { value, pointer: super::draft::join(&found.pointer, key) })
    }

    /// The entries of a mapping in the document, those that lead out of it left out.
    pub(super) fn children(self, found: &Found<'d>) -> Vec<(&'d str, Found<'d>)> {
        let entries = found.value.as_object().into_iter().flatten();
        entries.filter_map(|(key, _)| Some((key.as_str(), self.child(found, key)?))).collect()
    }

    /// The items of a list in the document, likewise.
    pub(super) fn items(self, found: &Found<'d>) -> Vec<Found<'d>> {
        let items = found.value.as_array().into_iter().flatten().enumerate();
        items
            .filter_map(|(index, value)| {
                self.follow(Found { value, pointer: format!("{}/{index}", found.pointer) })
            })
            .collect()
    }

    /// The keys of an operation or a message, with those that its traits bring. Its own go before theirs.
    pub(super) fn with_traits(self, found: &Found<'d>) -> Map<String, Value> {
        let mut keys = found.value.as_object().cloned().unwrap_or_default();
        keys.remove("traits");
        if let Some(traits) = self.child(found, "traits") {
            // A later trait goes before an earlier one.
            for brought in self.items(&traits).into_iter().take(TRAITS_MAX).rev() {
                let fits = spend(&mut { TRAIT_VALUES_MAX }, brought.value);
                let brought = brought.value.as_object().filter(|_| fits);
                brought.into_iter().for_each(|brought| add_missing(&mut keys, brought));
            }
        }
        keys
    }

    /// The AMQP binding of `found`.
    pub(super) fn amqp(self, found: &Found<'d>) -> Option<&'d Map<String, Value>> {
        let bindings = self.child(found, "bindings")?;
        self.child(&bindings, "amqp")?.value.as_object()
    }
}

fn add_missing(keys: &mut Map<String, Value>, brought: &Map<String, Value>) {
    for (key, value) in brought {
        match (keys.get_mut(key), value) {
            (None, value) => {
                keys.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(own)), Value::Object(value)) => add_missing(own, value),
            (Some(_), _) => {}
        }
    }
}

/// The JSON pointer of a URI fragment.
pub(super) fn decoded(fragment: &str) -> String {
    percent_encoding::percent_decode_str(fragment).decode_utf8_lossy().into_owned()
}

/// The text at `key`.
pub(super) fn text<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m str> {
    map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}
