//! What a shape says of the properties of an object and of the items of a list, each as a term.
//!
//! Every part keeps its own `additionalProperties` and `items`, so that `allOf` needs no merging.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::evaluate::Verdict;
use super::sample::Sample;
use super::schema::{Keywords, NOTHING, Term, entries, is_anything, is_composed, list};
use super::shape::Shape;

/// Which patterns are taken to match the name of a property, where that cannot be told. A pattern that is not in it
/// may or may not match: what follows from either is left out, which lets more through.
pub(super) type Guess<'s> = BTreeMap<&'s str, bool>;

/// The property that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'n> {
    Named(&'n str),
    /// Any name that no `properties` of either schema describes.
    Other,
}

impl<'s> Shape<'s> {
    /// The names that `properties` describes, or a pin.
    pub(super) fn names(&self) -> BTreeSet<&'s str> {
        let described = self.parts.iter().flat_map(|part| entries(part, "properties").map(|(name, _)| name));
        described.chain(self.pins.iter().map(|(name, _)| *name)).collect()
    }

    /// All patterns of `patternProperties` that may or may not match the name.
    pub(super) fn open_patterns(&self, name: Name<'_>) -> BTreeSet<&'s str> {
        let patterns = self.parts.iter().flat_map(|part| entries(part, "patternProperties"));
        patterns.map(|(pattern, _)| pattern).filter(|pattern| self.decided(pattern, name).is_none()).collect()
    }

    /// Whether a pattern matches the name; names that nobody describes may match any.
    fn decided(&self, pattern: &str, name: Name<'_>) -> Option<bool> {
        match name {
            Name::Named(name) => self.doc.matches(pattern, name),
            Name::Other => None,
        }
    }

    /// Whether some part speaks of this property by name or by pattern, or of all others more than `true`.
    pub(super) fn describes(&self, name: &str) -> bool {
        self.parts.iter().any(|part| {
            part.get("properties").is_some_and(|properties| properties.get(name).is_some())
                || entries(part, "patternProperties")
                    .any(|(pattern, _)| self.doc.matches(pattern, name) != Some(false))
                || rest(part).is_some_and(|schema| !is_anything(schema))
        }) || self.pins.iter().any(|(pinned, _)| *pinned == name)
            || self
                .parts
                .iter()
                .any(|part| super::schema::texts(part.get("required")).any(|required| required == name))
    }

    /// What the shape asks of one property.
    pub(super) fn property(&self, name: Name<'_>, guess: &Guess<'_>) -> Term<'s> {
        let mut term = Term::new(self.doc);
        for part in &self.parts {
            self.part_property(part, name, guess, &mut term);
        }
        if let Name::Named(name) = name {
            let pins = self.pins.iter().filter(|(pinned, _)| *pinned == name);
            term.atoms.extend(pins.map(|(_, value)| super::schema::Atom::Is(value)));
        }
        term
    }

    fn part_property(&self, part: &'s Keywords, name: Name<'_>, guess: &Guess<'_>, term: &mut Term<'s>) {
        let mut described = Some(false);
        if let Name::Named(name) = name {
            if let Some(schema) = part.get("properties").and_then(|properties| properties.get(name)) {
                described = Some(true);
                term.push(schema);
            }
            if let Some(schema) = part.get("propertyNames")
                && self.doc.evaluate(schema, &Sample::word(name)) == Verdict::Rejects
            {
                term.push(&NOTHING);
            }
        }
        for (pattern, schema) in entries(part, "patternProperties") {
            match self.decided(pattern, name).or_else(|| guess.get(pattern).copied()) {
                Some(true) => {
                    described = Some(true);
                    term.push(schema);
                }
                Some(false) => {}
                None => described = described.filter(|described| *described),
            }
        }
        if described == Some(false)
            && let Some(schema) = rest(part)
        {
            term.push(schema);
        }
    }

    /// How many items the longest `prefixItems` describes.
    pub(super) fn prefix(&self) -> usize {
        self.parts.iter().map(|part| list(part, "prefixItems").len()).max().unwrap_or(0)
    }

    /// What the shape asks of the item at one place.
    pub(super) fn item(&self, index: usize) -> Term<'s> {
        let mut term = Term::new(self.doc);
        for part in &self.parts {
            let schema = list(part, "prefixItems").get(index).or_else(|| rest_items(part));
            if let Some(schema) = schema {
                term.push(schema);
            }
        }
        term
    }

    /// The most items a list of this shape has: `maxItems`, or the first place where nothing is valid.
    pub(super) fn items_max(&self) -> Option<u64> {
        let most = self.most("maxItems");
        let closed =
            (0..=self.prefix()).find(|index| self.item(*index).is_hollow()).map(|index| index as u64);
        most.into_iter().chain(closed).min()
    }

    /// The fewest items a list of this shape has: `minItems`, or what `contains` asks for.
    pub(super) fn items_min(&self) -> u64 {
        let contained = self.parts.iter().filter(|part| part.contains_key("contains"));
        let contained = contained.map(|part| super::evaluate::count(part, "minContains").unwrap_or(1)).max();
        self.least("minItems").max(contained.unwrap_or(0))
    }
}

/// What one schema asks of the properties that it does not describe.
fn rest(part: &Keywords) -> Option<&Value> {
    let unevaluated = || part.get("unevaluatedProperties").filter(|_| !is_composed(part));
    part.get("additionalProperties").or_else(unevaluated)
}

/// What one schema asks of the items behind `prefixItems`.
fn rest_items(part: &Keywords) -> Option<&Value> {
    let plain = !is_composed(part) && !part.contains_key("contains");
    part.get("items").or_else(|| part.get("unevaluatedItems").filter(|_| plain))
}
