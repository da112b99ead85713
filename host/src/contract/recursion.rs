//! What a schema that refers to itself can cost: errors, and in one case verdicts, that double with each level of a
//! document. Messages come from anywhere, and a body of 320 bytes can have more errors than fit into memory.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The most errors that a document may have by this estimate, if they are to be found at all.
const ERRORS_MAX: usize = 100_000;
/// The deepest document that is held against a schema whose verdict takes twice as long with each level.
const UNEVALUATED_DEPTH_MAX: usize = 12;

/// How far documents may go with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recursion {
    /// How many more errors each level may have; none where the schema does not refer to itself.
    branches: Option<usize>,
    unevaluated: bool,
}

impl Recursion {
    /// Reads a schema.
    pub(super) fn of(schema: &Value) -> Self {
        let mut found = Found::default();
        found.read(schema);
        let recursive = found.unclear || refers_to_itself(schema, &found.references);
        Self { branches: recursive.then_some(found.count.max(2)), unevaluated: found.unevaluated }
    }

    /// The deepest document that can be judged, if there is such a limit.
    pub(super) fn depth_max(self) -> Option<usize> {
        (self.branches.is_some() && self.unevaluated).then_some(UNEVALUATED_DEPTH_MAX)
    }

    /// Whether the errors of an invalid document can all be found.
    pub(super) fn can_list(self, document: &Value) -> bool {
        let (depth, values) = extent(document);
        let per_value = self
            .branches
            .map_or(Some(1), |branches| branches.checked_pow(u32::try_from(depth).unwrap_or(u32::MAX)));
        per_value.and_then(|each| each.checked_mul(values)).is_some_and(|errors| errors <= ERRORS_MAX)
    }

    /// Whether the first error can be found without all others.
    pub(super) fn has_first(self) -> bool {
        self.branches.is_none()
    }
}

/// How deep a document is, and how many values it has.
pub(super) fn extent(document: &Value) -> (usize, usize) {
    let inner = |inner: &mut dyn Iterator<Item = &Value>| {
        inner.fold((0, 1), |(depth, values), value| {
            let (deeper, more) = extent(value);
            (depth.max(deeper), values + more)
        })
    };
    match document {
        Value::Array(items) => {
            let (depth, values) = inner(&mut items.iter());
            (depth + 1, values)
        }
        Value::Object(members) => {
            let (depth, values) = inner(&mut members.values());
            (depth + 1, values)
        }
        _ => (0, 1),
    }
}

/// The references in a part of a schema. What is only data is read, too, which at worst finds too many.
#[derive(Default)]
struct Found<'s> {
    references: BTreeSet<&'s str>,
    count: usize,
    /// Something refers in a way that is not followed here.
    unclear: bool,
    unevaluated: bool,
}

impl<'s> Found<'s> {
    fn read(&mut self, schema: &'s Value) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::Object(members) => {
                for (key, value) in members {
                    match (key.as_str(), value) {
                        ("$ref", Value::String(reference)) => {
                            self.count += 1;
                            self.references.insert(reference);
                        }
                        ("$dynamicRef" | "$recursiveRef", _) => self.unclear = true,
                        ("unevaluatedProperties" | "unevaluatedItems", _) => self.unevaluated = true,
                        _ => {}
                    }
                    self.read(value);
                }
            }
            _ => {}
        }
    }
}

/// Whether any reference leads to a part of the schema from which it is reached again.
fn refers_to_itself<'s>(schema: &'s Value, references: &BTreeSet<&'s str>) -> bool {
    let mut leads_to: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for reference in references {
        let Some(part) = reference.strip_prefix('#').and_then(|pointer| schema.pointer(pointer)) else {
            return true; // an anchor, or another document: not followed here
        };
        let mut found = Found::default();
        found.read(part);
        leads_to.insert(reference, found.references);
    }
    // What leads only to what leads nowhere is taken away, until nothing is left or only circles are.
    loop {
        let before = leads_to.len();
        let left: BTreeSet<&str> = leads_to.keys().copied().collect();
        leads_to.retain(|_, to| to.iter().any(|reference| left.contains(reference)));
        if leads_to.len() == before {
            return before > 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::message::collect;
    use super::super::patterns::compile;
    use super::*;

    #[test]
    fn schemas_that_refer_to_themselves_are_known() {
        let definitions = json!({ "a": { "$ref": "#/$defs/b" }, "b": { "type": "string" } });
        for (schema, recursive) in [
            (json!({ "type": "object" }), false),
            (json!({ "$defs": definitions, "$ref": "#/$defs/a" }), false),
            (json!({ "items": { "$ref": "#" } }), true),
            (
                json!({ "$defs": { "t": { "properties": { "of": { "$ref": "#/$defs/t" } } } }, "$ref": "#/$defs/t" }),
                true,
            ),
            (
                json!({ "$defs": { "a": { "items": { "$ref": "#/$defs/b" } }, "b": { "items": { "$ref": "#/$defs/a" } } } }),
                true,
            ),
            (json!({ "$ref": "#somewhere" }), true),
            (json!({ "$dynamicRef": "#node" }), true),
        ] {
            assert_eq!(Recursion::of(&schema).branches.is_some(), recursive, "{schema}");
        }
    }

    #[test]
    fn only_what_makes_verdicts_double_limits_the_depth() {
        for (schema, depth_max) in [
            (json!({ "items": { "$ref": "#" } }), None),
            (json!({ "items": { "type": "object" }, "unevaluatedItems": false }), None),
            (json!({ "items": { "$ref": "#" }, "unevaluatedItems": false }), Some(UNEVALUATED_DEPTH_MAX)),
        ] {
            assert_eq!(Recursion::of(&schema).depth_max(), depth_max, "{schema}");
        }
    }

    #[test]
    fn errors_are_listed_where_there_cannot_be_too_many() {
        let flat = Recursion::of(&json!({ "type": "object" }));
        let tree = Recursion::of(&json!({ "items": { "$ref": "#" } }));
        let mut deep = json!("x");
        for _ in 0..20 {
            deep = json!([deep]);
        }
        assert!(flat.can_list(&deep) && !tree.can_list(&deep));
        assert!(tree.can_list(&json!([["x"], ["y", ["z"]]])));
        assert_eq!(extent(&json!({ "a": [1, { "b": 2 }] })), (3, 5));
    }

    /// All errors of this body of 1,600 bytes would not fit into any memory.
    #[test]
    fn a_deep_body_is_refused_with_one_reason() {
        let term = |op: &str| json!({ "type": "object", "required": ["op", "of"], "properties": { "op": { "const": op }, "of": { "$ref": "#" } } });
        let schema = json!({ "oneOf": [{ "type": "number" }, term("not"), term("neg")] });
        let validator = compile(&schema).unwrap();
        let mut body = json!("x");
        for _ in 0..100 {
            body = json!({ "op": "not", "of": body });
        }
        let mut reasons = Vec::new();
        collect(&validator, &schema, &body, "body", &mut reasons);
        assert_eq!(reasons, ["body does not fit its schema; it is too large and too deep to say where"]);
        let mut reasons = Vec::new();
        collect(&validator, &schema, &json!({ "op": "not", "of": "x" }), "body", &mut reasons);
        assert!(reasons[0].starts_with("body: "), "{reasons:?}");
    }

    #[test]
    fn of_many_errors_that_do_not_double_the_first_is_told() {
        let schema = json!({ "items": { "type": "string" } });
        let body: Value = (0..200_000).collect();
        let mut reasons = Vec::new();
        collect(&compile(&schema).unwrap(), &schema, &body, "body", &mut reasons);
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].starts_with("body/0: "), "{reasons:?}");
    }
}
