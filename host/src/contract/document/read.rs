//! Reads documents, by way of `serde_json`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Document, Entry, LISTED_MAX, Member};

impl<'b> Document<'b> {
    /// Reads a body; none if it is not JSON, and then `serde_json` says why.
    pub(in crate::contract) fn read(body: &'b [u8]) -> Option<Self> {
        // Once for all, in place of once for each text.
        let text = std::str::from_utf8(body).ok()?;
        let mut document = Self {
            items: Vec::with_capacity(16),
            members: Vec::with_capacity(16),
            open_items: Vec::with_capacity(16),
            open_members: Vec::with_capacity(16),
            ..Self::default()
        };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        document.root = Reader(&mut document).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(document)
    }

    fn close_array(&mut self, from: usize) -> Entry<'b> {
        let start = self.items.len();
        self.items.extend(self.open_items.drain(from..));
        Entry::Array(start..self.items.len())
    }

    /// Of members with the same name, the last one counts.
    fn add_member(&mut self, from: usize, member: Member<'b>) {
        let open = &mut self.open_members;
        let listed = &mut open[from..];
        if listed.len() < LISTED_MAX
            && let Some(same) = listed.iter_mut().find(|other| other.name == member.name)
        {
            same.value = member.value;
        } else {
            open.push(member);
        }
    }

    fn close_object(&mut self, from: usize) -> Entry<'b> {
        let start = self.members.len();
        if self.open_members.len() - from <= LISTED_MAX {
            self.members.extend(self.open_members.drain(from..));
        } else {
            self.open_members[from..].sort_by(|a, b| a.name.cmp(&b.name));
            for member in self.open_members.drain(from..) {
                match self.members[start..].last_mut() {
                    Some(last) if last.name == member.name => *last = member,
                    _ => self.members.push(member),
                }
            }
        }
        Entry::Object(start..self.members.len())
    }
}

struct Reader<'r, 'b>(&'r mut Document<'b>);

impl<'b> DeserializeSeed<'b> for Reader<'_, 'b> {
    type Value = Entry<'b>;

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<Entry<'b>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'b> Visitor<'b> for Reader<'_, 'b> {
    type Value = Entry<'b>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Entry<'b>, E> {
        Ok(Entry::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Entry<'b>, E> {
        Ok(Entry::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Entry<'b>, E> {
        Ok(Entry::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Entry<'b>, E> {
        Ok(Entry::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Entry<'b>, E> {
        Ok(Number::from_f64(value).map_or(Entry::Null, Entry::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'b str) -> Result<Entry<'b>, E> {
        Ok(Entry::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Entry<'b>, E> {
        Ok(Entry::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut items: A) -> Result<Entry<'b>, A::Error> {
        let document = self.0;
        let from = document.open_items.len();
        while let Some(item) = items.next_element_seed(Reader(document))? {
            document.open_items.push(item);
        }
        Ok(document.close_array(from))
    }

    fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<Entry<'b>, A::Error> {
        let document = self.0;
        let from = document.open_members.len();
        while let Some(name) = members.next_key_seed(Name)? {
            let value = members.next_value_seed(Reader(document))?;
            document.add_member(from, Member { name, value });
        }
        Ok(document.close_object(from))
    }
}

struct Name;

impl<'b> DeserializeSeed<'b> for Name {
    type Value = Cow<'b, str>;

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<Cow<'b, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'b> Visitor<'b> for Name {
    type Value = Cow<'b, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, value: &'b str) -> Result<Cow<'b, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'b, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}
