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
use std::ops::Range;

use ahash::AHashSet;
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp, unique};
use serde_json::{Map, Number, Value};

/// Up to so many members, an object is searched from the front; larger ones are in the order of their names.
const LISTED_MAX: usize = 16;

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
        let texts: Option<Vec<&str>> = self
            .list
            .iter()
            .map(|entry| if let Entry::Text(text) = entry { Some(&**text) } else { None })
            .collect();
        if let Some(texts) = texts {
            let mut seen = AHashSet::with_capacity(texts.len());
            return texts.into_iter().all(|text| seen.insert(text));
        }
        unique::is_unique(&self.elements().map(Place::value).collect::<Vec<_>>())
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

impl<'a> Object<'a, Borrowed> for Members<'a> {
    type Node = Place<'a>;
    type MemberName = &'a str;
    type MembersIter = NamedPlaces<'a>;

    fn len(&self) -> usize {
        self.list.len()
    }

    fn get(&self, key: &String) -> Option<Place<'a>> {
        let found = if self.list.len() <= LISTED_MAX {
            self.list.iter().find(|member| member.name == *key)
        } else {
            let index = self.list.binary_search_by(|member| (*member.name).cmp(key)).ok()?;
            self.list.get(index)
        };
        found.map(|member| Place { document: self.document, entry: &member.value })
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
