//! A schema document, its references, and terms: several schemas of one document that hold for the same value.
//!
//! Leaves to `shape` what a term lets through.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::number;

pub(super) type Keywords = Map<String, Value>;

/// How many references that lead only to references are followed.
const CHAIN_MAX: usize = 16;

pub(super) static NOTHING: Value = Value::Bool(false);

/// How much work one comparison may still take, in steps. A step is about one keyword of one schema.
#[derive(Debug)]
pub(super) struct Fuel(Cell<u32>);

impl Fuel {
    pub(super) fn new(steps: u32) -> Self {
        Self(Cell::new(steps))
    }

    /// Takes `steps`, or what is left and says no.
    pub(super) fn spend(&self, steps: usize) -> bool {
        let left = self.0.get();
        let rest = left.checked_sub(u32::try_from(steps).unwrap_or(u32::MAX));
        self.0.set(rest.unwrap_or(0));
        rest.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }

    /// Does `work` with at most `steps`, so that one hard question does not cost all the others theirs.
    pub(super) fn at_most<T>(&self, steps: u32, work: impl FnOnce() -> T) -> T {
        let outer = self.0.get();
        let inner = outer.min(steps);
        self.0.set(inner);
        let answer = work();
        self.0.set(outer - (inner - self.0.get()));
        answer
    }
}

/// One schema document. The caller has held it against the meta-schema.
#[derive(Debug)]
pub(super) struct Doc<'s> {
    root: &'s Value,
    /// A nested `$id` moves the place that local references start from, which is not followed.
    nested_ids: bool,
    pub(super) fuel: &'s Fuel,
}

impl<'s> Doc<'s> {
    pub(super) fn new(root: &'s Value, fuel: &'s Fuel) -> Self {
        Self { root, nested_ids: has_nested_id(root), fuel }
    }

    /// Whether two documents are equal, word for word.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        number::same(self.root, other.root) == Some(true)
    }

    /// The schema that a local reference (`#`, `#/…`) names.
    pub(super) fn resolve(&self, reference: &str) -> Option<&'s Value> {
        let pointer = reference.strip_prefix('#')?;
        if self.nested_ids || pointer.contains('%') {
            return None;
        }
        let target = self.root.pointer(pointer)?;
        (target.is_object() || target.is_boolean()).then_some(target)
    }

    /// The schema that the value of a `$ref` names.
    pub(super) fn target(&self, reference: &Value) -> Option<&'s Value> {
        self.resolve(reference.as_str()?)
    }

    /// The schema behind references that have nothing beside them.
    pub(super) fn behind<'v>(&self, schema: &'v Value) -> Option<&'v Value>
    where
        's: 'v,
    {
        let mut schema = schema;
        for _ in 0..CHAIN_MAX {
            let Some(reference) = schema.get("$ref") else { return Some(schema) };
            let alone = schema.as_object()?.keys().all(|key| key == "$ref" || !is_assertion(key));
            if !alone {
                return Some(schema);
            }
            schema = self.target(reference)?;
        }
        None
    }
}

/// Without recursion, because a document may be nested deeper than the stack is.
fn has_nested_id(root: &Value) -> bool {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if !std::ptr::eq(value, root) && map.get("$id").is_some_and(Value::is_string) {
                    return true;
                }
                open.extend(map.values());
            }
            Value::Array(values) => open.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    false
}

/// One condition on a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Atom<'s> {
    /// It is valid under a schema.
    Schema(&'s Value),
    /// It is this value.
    Is(&'s Value),
    /// It is a text: the name of a property.
    Text,
}

/// Conditions that all hold for one value. Without any, every value does.
#[derive(Clone, Debug)]
pub(super) struct Term<'s> {
    pub(super) doc: &'s Doc<'s>,
    pub(super) atoms: Vec<Atom<'s>>,
}

/// What tells terms of one document apart.
pub(super) type TermKey = Vec<(u8, usize)>;

impl<'s> Term<'s> {
    pub(super) fn root(doc: &'s Doc<'s>) -> Self {
        Self { doc, atoms: vec![Atom::Schema(doc.root)] }
    }

    pub(super) fn new(doc: &'s Doc<'s>) -> Self {
        Self { doc, atoms: Vec::new() }
    }

    pub(super) fn push(&mut self, schema: &'s Value) {
        self.atoms.push(Atom::Schema(schema));
    }

    /// Whether the term says nothing about the value.
    pub(super) fn is_anything(&self) -> bool {
        self.atoms.iter().all(|atom| matches!(atom, Atom::Schema(schema) if is_anything(schema)))
    }

    /// What tells this term from others. A reference is what it names, so that recursion is noticed at once.
    pub(super) fn key(&self) -> TermKey {
        let address = |value: &Value| std::ptr::from_ref(value).addr();
        let mut key: TermKey = self
            .atoms
            .iter()
            .map(|atom| match atom {
                Atom::Schema(schema) => (0, address(self.doc.behind(schema).unwrap_or(schema))),
                Atom::Is(value) => (1, address(value)),
                Atom::Text => (2, 0),
            })
            .collect();
        key.sort_unstable();
        key.dedup();
        key
    }
}

/// Whether a schema is `true` or says nothing about which values are valid.
pub(super) fn is_anything(schema: &Value) -> bool {
    match schema {
        Value::Bool(accepts) => *accepts,
        Value::Object(map) => !map.keys().any(|key| is_assertion(key)),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

/// Whether a keyword decides which values are valid. All others, `format` among them, are annotations.
pub(super) fn is_assertion(keyword: &str) -> bool {
    matches!(
        keyword,
        "$ref"
            | "$dynamicRef"
            | "type"
            | "enum"
            | "const"
            | "multipleOf"
            | "minimum"
            | "exclusiveMinimum"
            | "maximum"
            | "exclusiveMaximum"
            | "minLength"
            | "maxLength"
            | "pattern"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames"
            | "required"
            | "minProperties"
            | "maxProperties"
            | "dependentRequired"
            | "dependentSchemas"
            | "prefixItems"
            | "items"
            | "unevaluatedItems"
            | "contains"
            | "minContains"
            | "maxContains"
            | "minItems"
            | "maxItems"
            | "uniqueItems"
            | "allOf"
            | "anyOf"
            | "oneOf"
            | "not"
            | "if"
            | "then"
            | "else"
    )
}

/// The schemas in a list keyword such as `anyOf`.
pub(super) fn list<'s>(keywords: &'s Keywords, keyword: &str) -> &'s [Value] {
    keywords.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The entries of an object keyword such as `properties`.
pub(super) fn entries<'s>(
    keywords: &'s Keywords,
    keyword: &str,
) -> impl Iterator<Item = (&'s str, &'s Value)> {
    keywords
        .get(keyword)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

/// The texts in a list keyword such as `required`.
pub(super) fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether other keywords of the same schema may evaluate properties or items, which `unevaluated…` then knows of.
pub(super) fn is_composed(keywords: &Keywords) -> bool {
    ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"]
        .iter()
        .any(|keyword| keywords.contains_key(*keyword))
}
