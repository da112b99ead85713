//! A JSON document that borrows from its text, to be held against a schema: at a fraction of what a `serde_json::Value`
//! costs, and with the same verdict.
//!
//! It is read by `serde_json`, so that grammar, numbers and depth are those of `Value`. All arrays of a document share
//! one list, and so do all objects; an entry names its part of it. `read` makes documents; the rest of this file shows
//! them to the validator.

mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use ahash::AHashSet;
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp};
use serde_json::{Map, Number, Value};

/// Up to so many members, an object is searched from the front; larger ones are in the order of their names.
const LISTED_MAX: usize = 16;
/// Up to so many items, each is compared with each to know whether all differ.
const COMPARED_MAX: usize = 15;

/// A document; what it does not have to change, such as a text without escapes, stays in the body.
#[derive(Default)]
pub(in crate::contract) struct Document<'b> {
    root: Entry<'b>,
    items: Vec<Entry<'b>>,
    members: Vec<Member<'b>>,
    /// What has been read of the arrays and objects that are not at their end yet, while the document is read.
    open_items: Vec<Entry<'b>>,
    open_members: Vec<Member<'b>>,
}

#[derive(Default)]
enum Entry<'b> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'b, str>),
    Array(Range<usize>),
    Object(Range<usize>),
}

struct Member<'b> {
    name: Cow<'b, str>,
    value: Entry<'b>,
}

impl Document<'_> {
    /// The whole document.
    pub(in crate::contract) fn root(&self) -> Place<'_> {
        Place { document: self, entry: &self.root }
    }
}

/// Documents as the validator sees them.
pub(in crate::contract) struct Borrowed;

impl Json for Borrowed {
    type Node<'a> = Place<'a>;
    type PreparedKey = String;
    type StringBuffer = Document<'static>;

    // A pass over a listed object costs no more than two lookups.
    const KEYS_PER_LOOKUP: usize = 4;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Document<'static>,
        string: &str,
        f: impl FnOnce(Place<'_>) -> T,
    ) -> T {
        if let Entry::Text(Cow::Owned(text)) = &mut buffer.root {
            text.clear();
            text.push_str(string);
        } else {
            buffer.root = Entry::Text(Cow::Owned(string.to_owned()));
        }
        f(buffer.root())
    }
}

/// A value within a document.
#[derive(Clone, Copy)]
pub(in crate::contract) struct Place<'a> {
    document: &'a Document<'a>,
    entry: &'a Entry<'a>,
}

impl<'a> Place<'a> {
    fn items(self, range: &Range<usize>) -> Items<'a> {
        Items { document: self.document, list: &self.document.items[range.clone()] }
    }

    fn members(self, range: &Range<usize>) -> Members<'a> {
        Members { document: self.document, list: &self.document.members[range.clone()] }
    }

    /// Whether both are the same value to the validator, without a copy of either.
    fn equals(self, other: Place<'_>) -> bool {
        match (self.entry, other.entry) {
            (Entry::Null, Entry::Null) => true,
            (Entry::Bool(one), Entry::Bool(other)) => one == other,
            (Entry::Number(one), Entry::Number(other)) => cmp::equal_numbers(&one, other),
            (Entry::Text(one), Entry::Text(other)) => one == other,
            (Entry::Array(one), Entry::Array(two)) => {
                one.len() == two.len()
                    && self.items(one).elements().zip(other.items(two).elements()).all(|(a, b)| a.equals(b))
            }
            (Entry::Object(one), Entry::Object(two)) => {
                let others = other.members(two);
                one.len() == two.len()
                    && self
                        .members(one)
                        .members()
                        .all(|(name, a)| others.find(name).is_some_and(|b| a.equals(b)))
            }
            _ => false,
        }
    }

    fn value(self) -> Value {
        match self.entry {
            Entry::Null => Value::Null,
            Entry::Bool(value) => Value::Bool(*value),
            Entry::Number(number) => Value::Number(number.clone()),
            Entry::Text(text) => Value::String(text.to_string()),
            Entry::Array(range) => self.items(range).elements().map(Place::value).collect(),
            Entry::Object(range) => {
                let named = self.members(range).members().map(|(name, item)| (name.to_owned(), item.value()));
                Value::Object(named.collect::<Map<_, _>>())
            }
        }
    }
}

impl<'a> Node<'a, Borrowed> for Place<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        match self.entry {
            Entry::Object(range) => Some(self.members(range)),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Items<'a>> {
        match self.entry {
            Entry::Array(range) => Some(self.items(range)),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self.entry {
            Entry::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self.entry {
            Entry::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.entry {
            Entry::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.entry, Entry::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.entry {
            Entry::Null => JsonType::Null,
            Entry::Bool(_) => JsonType::Boolean,
            Entry::Number(_) => JsonType::Number,
            Entry::Text(_) => JsonType::String,
            Entry::Array(_) => JsonType::Array,
            Entry::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.entry, expected) {
            (Entry::Null, Value::Null) => true,
            (Entry::Bool(value), Value::Bool(expected)) => value == expected,
            (Entry::Number(number), Value::Number(_)) => cmp::equal(&Value::Number(number.clone()), expected),
            (Entry::Text(text), Value::String(expected)) => text == expected,
            (Entry::Array(range), Value::Array(expected)) => {
                let items = self.items(range);
                items.len() == expected.len()
                    && items.elements().zip(expected).all(|(item, expected)| item.equals_value(expected))
            }
            (Entry::Object(range), Value::Object(expected)) => {
                let members = self.members(range);
                members.len() == expected.len()
                    && expected.iter().all(|(name, expected)| {
                        members.get(name).is_some_and(|member| member.equals_value(expected))
                    })
            }
            _ => false,
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(self.value())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.entry).addr()))
    }
}

/// The items of an array.
pub(in crate::contract) struct Items<'a> {
    document: &'a Document<'a>,
    list: &'a [Entry<'a>],
}

impl<'a> Array<'a, Borrowed> for Items<'a> {
    type Node = Place<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.list.len()
    }

    fn elements(&self) -> Elements<'a> {
        Elements { document: self.document, list: self.list.iter() }
    }

    fn is_unique(&self) -> bool {
        if self.list.len() <= COMPARED_MAX {
            return self
                .elements()
                .enumerate()
                .all(|(index, item)| self.elements().take(index).all(|other| !item.equals(other)));
        }
        let mut seen = AHashSet::with_capacity(self.list.len());
        self.elements().all(|item| seen.insert(Distinct(item)))
    }
}

/// A value as one of a set: equal as the validator has it, so that `1` is `1.0`.
struct Distinct<'a>(Place<'a>);

impl PartialEq for Distinct<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(other.0)
    }
}

impl Eq for Distinct<'_> {}

impl Hash for Distinct<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0.entry).hash(state);
        match self.0.entry {
            Entry::Null => {}
            Entry::Bool(value) => value.hash(state),
            // 0.0 is -0.0; what is equal has the same nearest float.
            Entry::Number(number) => number.as_f64().map(|number| (number + 0.0).to_bits()).hash(state),
            Entry::Text(text) => text.hash(state),
            Entry::Array(range) => {
                range.len().hash(state);
                self.0.items(range).elements().for_each(|item| Distinct(item).hash(state));
            }
            Entry::Object(range) => {
                // Those of a short list stand in any order.
                range.len().hash(state);
                if range.len() > LISTED_MAX {
                    for (name, item) in self.0.members(range).members() {
                        name.hash(state);
                        Distinct(item).hash(state);
                    }
                } else {
                    let mut named: [Option<(&str, Place<'_>)>; LISTED_MAX] = [None; LISTED_MAX];
                    for (to, member) in named.iter_mut().zip(self.0.members(range).members()) {
                        *to = Some(member);
                    }
                    let named = &mut named[..range.len()];
                    named.sort_unstable_by_key(|member| member.map(|(name, _)| name));
                    for (name, item) in named.iter().flatten() {
                        name.hash(state);
                        Distinct(*item).hash(state);
                    }
                }
            }
        }
    }
}

/// The items of an array, one after the other.
pub(in crate::contract) struct Elements<'a> {
    document: &'a Document<'a>,
    list: std::slice::Iter<'a, Entry<'a>>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Place<'a>;

    fn next(&mut self) -> Option<Place<'a>> {
        self.list.next().map(|entry| Place { document: self.document, entry })
    }
}

/// The members of an object.
pub(in crate::contract) struct Members<'a> {
    document: &'a Document<'a>,
    list: &'a [Member<'a>],
}

impl<'a> Members<'a> {
    fn find(&self, name: &str) -> Option<Place<'a>> {
        let found = if self.list.len() <= LISTED_MAX {
            self.list.iter().find(|member| member.name == name)
        } else {
            let index = self.list.binary_search_by(|member| (*member.name).cmp(name)).ok()?;
            self.list.get(index)
        };
        found.map(|member| Place { document: self.document, entry: &member.value })
    }
}

impl<'a> Object<'a, Borrowed> for Members<'a> {
    type Node = Place<'a>;
    type MemberName = &'a str;
    type MembersIter = NamedPlaces<'a>;

    fn len(&self) -> usize {
        self.list.len()
    }

    fn get(&self, key: &String) -> Option<Place<'a>> {
        self.find(key)
    }

    fn members(&self) -> NamedPlaces<'a> {
        NamedPlaces { document: self.document, list: self.list.iter() }
    }
}

/// The members of an object, one after the other.
pub(in crate::contract) struct NamedPlaces<'a> {
    document: &'a Document<'a>,
    list: std::slice::Iter<'a, Member<'a>>,
}

impl<'a> Iterator for NamedPlaces<'a> {
    type Item = (&'a str, Place<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.list.next()?;
        Some((&member.name, Place { document: self.document, entry: &member.value }))
    }
}
