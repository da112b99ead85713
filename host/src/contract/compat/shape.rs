//! What a term lets through, as alternatives: each a `Shape`, in which only plain keywords are left.
//!
//! `$ref` and `allOf` add to a shape, `anyOf` and `oneOf` multiply it. Leaves the limits that are read from a shape to
//! `facets`, and what it says of members and items to `members`.

use serde_json::Value;

use super::evaluate::{COMPARED, Verdict};
use super::number;
use super::sample::Sample;
use super::schema::{Atom, Doc, Keywords, Term, is_anything, is_composed, list};
use super::types::Types;

/// More alternatives than this are not told apart.
const SHAPES_MAX: usize = 256;
/// How many references and compositions are followed within one value.
const TRAIL_MAX: usize = 64;

/// One alternative: the keywords of all its parts hold at once. `types` and `values` sum up what the parts say of
/// them. As the shape of a writer it may let through too much, never too little; what a reader asks beyond its plain
/// keywords is in `nots` and `opaque`.
#[derive(Clone, Debug)]
pub(super) struct Shape<'s> {
    pub(super) doc: &'s Doc<'s>,
    pub(super) parts: Vec<&'s Keywords>,
    pub(super) types: Types,
    /// The only values there are, where `enum` or `const` lists them.
    pub(super) values: Option<Vec<&'s Value>>,
    pub(super) nots: Vec<Not<'s>>,
    pub(super) opaque: Vec<Opaque<'s>>,
    /// Properties that have this one value, where a comparison splits a writer by a tag.
    pub(super) pins: Vec<(&'s str, &'s Value)>,
}

/// A schema that must not hold: of `not`, or another alternative of `oneOf`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Not<'s> {
    pub(super) keyword: &'static str,
    pub(super) schema: &'s Value,
}

/// A keyword that is not taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opaque<'s> {
    pub(super) keyword: &'static str,
    pub(super) keywords: &'s Keywords,
}

impl<'s> Term<'s> {
    /// The alternatives of a term; none where nothing is valid.
    pub(super) fn shapes(&self) -> Vec<Shape<'s>> {
        let mut open = vec![Shape::anything(self.doc)];
        for atom in &self.atoms {
            match atom {
                Atom::Schema(schema) => {
                    open = Spread::default().each(open, schema);
                }
                Atom::Is(value) => open.iter_mut().for_each(|shape| shape.limit_values(vec![value])),
                Atom::Text => open.iter_mut().for_each(|shape| shape.types = shape.types.and(Types::TEXT)),
            }
        }
        open.iter_mut().for_each(Shape::settle);
        open.retain(|shape| !shape.types.is_empty());
        open
    }
}

impl<'s> Shape<'s> {
    pub(super) fn anything(doc: &'s Doc<'s>) -> Self {
        Self {
            doc,
            parts: Vec::new(),
            types: Types::ALL,
            values: None,
            nots: Vec::new(),
            opaque: Vec::new(),
            pins: Vec::new(),
        }
    }

    /// The shape with only these types.
    pub(super) fn only(&self, types: Types) -> Self {
        let mut shape = self.clone();
        shape.types = shape.types.and(types);
        if let Some(values) = &mut shape.values {
            values.retain(|value| Types::of_value(value).within(types));
        }
        shape
    }

    /// The shape with a property that has this value.
    pub(super) fn pinned(&self, name: &'s str, value: &'s Value) -> Self {
        let mut shape = self.clone();
        shape.types = shape.types.and(Types::OBJECT);
        shape.pins.push((name, value));
        shape
    }

    fn add(&mut self, keywords: &'s Keywords) {
        self.parts.push(keywords);
        self.types = self.types.and(Types::of_keyword(keywords.get("type")));
        if let Some(value) = keywords.get("const") {
            self.limit_values(vec![value]);
        }
        if let Some(values) = keywords.get("enum").and_then(Value::as_array) {
            self.limit_values(values.iter().collect());
        }
        if let Some(schema) = keywords.get("not") {
            self.nots.push(Not { keyword: "not", schema });
        }
        // These look at what other keywords have evaluated, unless there is nothing left to look at.
        let composed = is_composed(keywords);
        let listed = composed || keywords.contains_key("contains");
        let unevaluated = |keyword: &str, plain: &str| {
            !keywords.contains_key(plain) && keywords.get(keyword).is_some_and(|schema| !is_anything(schema))
        };
        for (keyword, applies) in [
            ("if", keywords.contains_key("then") || keywords.contains_key("else")),
            ("dependentRequired", true),
            ("dependentSchemas", true),
            ("$dynamicRef", true),
            (
                "unevaluatedProperties",
                composed && unevaluated("unevaluatedProperties", "additionalProperties"),
            ),
            ("unevaluatedItems", listed && unevaluated("unevaluatedItems", "items")),
        ] {
            if applies && keywords.contains_key(keyword) {
                self.opaque.push(Opaque { keyword, keywords });
            }
        }
    }

    fn limit_values(&mut self, values: Vec<&'s Value>) {
        let Some(known) = &mut self.values else {
            self.values = Some(values);
            return;
        };
        if !self.doc.fuel.spend(known.len() * values.len() / COMPARED) {
            return;
        }
        known.retain(|known| values.iter().any(|value| number::same(known, value) != Some(false)));
    }

    /// Draws the conclusions from all parts together: types that no value can have are dropped.
    fn settle(&mut self) {
        if let Some(values) = &mut self.values {
            let (doc, parts, types) = (self.doc, &self.parts, self.types);
            values.retain(|value| {
                let allowed = Types::of_value(value).within(types);
                allowed
                    && parts
                        .iter()
                        .all(|part| doc.evaluate_limits(part, &Sample::Known(value)) != Verdict::Rejects)
            });
            self.types = values.iter().map(|value| Types::of_value(value)).fold(Types::NONE, Types::or);
        }
        self.types = self.types.minus(self.contradictions());
    }
}

/// The way from a term's schema to the one at hand, to notice when it leads back to itself.
#[derive(Default)]
struct Spread<'s> {
    trail: Vec<&'s Value>,
}

impl<'s> Spread<'s> {
    fn each(&mut self, shapes: Vec<Shape<'s>>, schema: &'s Value) -> Vec<Shape<'s>> {
        shapes.into_iter().flat_map(|shape| self.one(shape, schema)).collect()
    }

    fn one(&mut self, mut shape: Shape<'s>, schema: &'s Value) -> Vec<Shape<'s>> {
        let keywords = match schema {
            Value::Bool(true) => return vec![shape],
            Value::Object(keywords) => keywords,
            _ => return Vec::new(),
        };
        if self.trail.len() >= TRAIL_MAX || !shape.doc.fuel.spend(1 + shape.parts.len()) {
            shape.opaque.push(Opaque { keyword: "$ref", keywords });
            return vec![shape];
        }
        if self.trail.iter().any(|passed| std::ptr::eq(*passed, schema)) {
            shape.opaque.push(Opaque { keyword: "$ref", keywords });
            return vec![shape];
        }
        if shape.parts.iter().any(|part| std::ptr::eq(*part, keywords)) {
            return vec![shape];
        }
        shape.add(keywords);
        if shape.types.is_empty() {
            return Vec::new();
        }
        self.trail.push(schema);
        let shapes = self.composed(shape, keywords);
        self.trail.pop();
        shapes
    }

    fn composed(&mut self, mut shape: Shape<'s>, keywords: &'s Keywords) -> Vec<Shape<'s>> {
        let mut target = None;
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            target = shape.doc.resolve(reference);
            if target.is_none() {
                shape.opaque.push(Opaque { keyword: "$ref", keywords });
            }
        }
        let mut open = vec![shape];
        for schema in target.into_iter().chain(list(keywords, "allOf")) {
            open = self.each(open, schema);
        }
        for keyword in ["anyOf", "oneOf"] {
            if keywords.contains_key(keyword) {
                open = self.choice(open, keyword, keywords);
            }
        }
        open
    }

    fn choice(
        &mut self,
        shapes: Vec<Shape<'s>>,
        keyword: &'static str,
        keywords: &'s Keywords,
    ) -> Vec<Shape<'s>> {
        let schemas = list(keywords, keyword);
        let mut chosen = Vec::new();
        for shape in &shapes {
            for (index, schema) in schemas.iter().enumerate() {
                let mut shape = shape.clone();
                if keyword == "oneOf" && shape.doc.fuel.spend(schemas.len() / 4) {
                    let others = schemas.iter().enumerate().filter(|(other, _)| *other != index);
                    shape.nots.extend(others.map(|(_, schema)| Not { keyword, schema }));
                }
                chosen.extend(self.one(shape, schema));
                if chosen.len() > SHAPES_MAX || (keyword == "oneOf" && shapes[0].doc.fuel.is_empty()) {
                    // Too many to tell apart: none is chosen, which lets more through.
                    let mut shapes = shapes;
                    shapes.iter_mut().for_each(|shape| shape.opaque.push(Opaque { keyword, keywords }));
                    return shapes;
                }
            }
        }
        chosen
    }
}
