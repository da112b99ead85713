//! Holds a sample against a schema: accepted, rejected, or unknown where this module cannot tell.
//!
//! It knows nothing of the comparison. What the comparison suspects counts as a conflict only once a sample is
//! accepted by the writer and rejected by the reader here, so a fault elsewhere cannot make up a conflict.

use serde_json::Value;

use super::number::Num;
use super::pattern;
use super::sample::Sample;
use super::schema::{Atom, Doc, Keywords, Term, entries, is_composed, list, texts};
use super::types::Types;

/// How many values are compared with one another in a step.
pub(super) const COMPARED: usize = 64;

/// How deep references and values are followed.
const DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepts,
    Rejects,
    Unknown,
}

use Verdict::{Accepts, Rejects, Unknown};

impl Verdict {
    fn of(accepts: bool) -> Self {
        if accepts { Accepts } else { Rejects }
    }

    fn of_known(accepts: Option<bool>) -> Self {
        accepts.map_or(Unknown, Self::of)
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Rejects, _) | (_, Rejects) => Rejects,
            (Accepts, Accepts) => Accepts,
            _ => Unknown,
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Accepts => Rejects,
            Rejects => Accepts,
            Unknown => Unknown,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }
}

impl<'s> Term<'s> {
    pub(super) fn evaluate(&self, sample: &Sample<'_>) -> Verdict {
        let verdicts = self.atoms.iter().map(|atom| match atom {
            Atom::Schema(schema) => self.doc.evaluate(schema, sample),
            Atom::Is(value) => Verdict::of_known(sample.is(value)),
            Atom::Text => Verdict::of(sample.kind() == Types::TEXT),
        });
        verdicts.fold(Accepts, Verdict::and)
    }
}

/// Holds a sample against some keywords of a schema, at a depth.
type Question<'s> = fn(&Doc<'s>, &Keywords, &Sample<'_>, usize) -> Verdict;

impl<'s> Doc<'s> {
    pub(super) fn evaluate(&self, schema: &Value, sample: &Sample<'_>) -> Verdict {
        self.schema(schema, sample, 0)
    }

    /// Holds a sample against single keywords of a schema: those named, which are not simple limits.
    pub(super) fn evaluate_keyword(
        &self,
        keywords: &Keywords,
        keyword: &str,
        sample: &Sample<'_>,
    ) -> Verdict {
        match keyword {
            "if" => self.condition(keywords, sample, 0),
            "dependentRequired" | "dependentSchemas" => self.dependents(keywords, sample, 0),
            "contains" => self.contains(keywords, sample, 0),
            "propertyNames" => self.names(keywords, sample, 0),
            _ => Unknown,
        }
    }

    /// Holds a sample against the limits of numbers and texts alone.
    pub(super) fn evaluate_limits(&self, keywords: &Keywords, sample: &Sample<'_>) -> Verdict {
        self.numbers(keywords, sample, 0).and(self.text(keywords, sample, 0))
    }

    fn schema(&self, schema: &Value, sample: &Sample<'_>, depth: usize) -> Verdict {
        let keywords = match schema {
            Value::Bool(accepts) => return Verdict::of(*accepts),
            Value::Object(keywords) if depth < DEPTH_MAX && self.fuel.spend(1 + keywords.len() / 4) => {
                keywords
            }
            _ => return Unknown,
        };
        let questions: [Question<'s>; 12] = [
            |_, keywords, sample, _| {
                Verdict::of(sample.kind().within(Types::of_keyword(keywords.get("type"))))
            },
            Self::values,
            Self::numbers,
            Self::text,
            Self::members,
            Self::names,
            Self::dependents,
            Self::list,
            Self::contains,
            Self::reference,
            Self::composition,
            Self::condition,
        ];
        let mut verdict = Accepts;
        for question in questions {
            verdict = verdict.and(question(self, keywords, sample, depth));
            if verdict == Rejects {
                break;
            }
        }
        verdict
    }

    fn reference(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let dynamic = keywords.contains_key("$dynamicRef");
        let target =
            match keywords.get("$ref").and_then(Value::as_str).map(|reference| self.resolve(reference)) {
                None => Accepts,
                Some(None) => Unknown,
                Some(Some(target)) => self.schema(target, sample, depth + 1),
            };
        if dynamic { target.and(Unknown) } else { target }
    }

    fn values(&self, keywords: &Keywords, sample: &Sample<'_>, _depth: usize) -> Verdict {
        let constant = keywords.get("const").map_or(Accepts, |value| Verdict::of_known(sample.is(value)));
        let Some(values) = keywords.get("enum").and_then(Value::as_array) else { return constant };
        if !self.fuel.spend(values.len() / COMPARED) {
            return Unknown;
        }
        let any = values.iter().fold(Rejects, |any, value| any.or(Verdict::of_known(sample.is(value))));
        constant.and(any)
    }

    fn numbers(&self, keywords: &Keywords, sample: &Sample<'_>, _depth: usize) -> Verdict {
        let Some(number) = sample.number() else { return Accepts };
        let limit = |keyword: &str, fits: fn(std::cmp::Ordering) -> bool| {
            Num::of_value(keywords.get(keyword)).is_none_or(|limit| fits(number.order(limit)))
        };
        let inside = limit("minimum", std::cmp::Ordering::is_ge)
            && limit("exclusiveMinimum", std::cmp::Ordering::is_gt)
            && limit("maximum", std::cmp::Ordering::is_le)
            && limit("exclusiveMaximum", std::cmp::Ordering::is_lt);
        let step = Num::of_value(keywords.get("multipleOf"));
        let stepped = step.map_or(Accepts, |step| Verdict::of_known(number.is_multiple_of(step)));
        Verdict::of(inside).and(stepped)
    }

    fn text(&self, keywords: &Keywords, sample: &Sample<'_>, _depth: usize) -> Verdict {
        let Some(text) = sample.text() else { return Accepts };
        let between =
            count(keywords, "minLength").map_or(Accepts, |least| at_least(text.min, text.max, least));
        let between = between
            .and(count(keywords, "maxLength").map_or(Accepts, |most| at_most(text.min, text.max, most)));
        let pattern = keywords.get("pattern").and_then(Value::as_str);
        between.and(pattern.map_or(Accepts, |pattern| match sample.exact_text() {
            Some(exact) => Verdict::of_known(self.matches(pattern, exact)),
            None if text.pattern == Some(pattern) => Accepts,
            None => Unknown,
        }))
    }

    pub(super) fn matches(&self, pattern: &str, text: &str) -> Option<bool> {
        if !self.fuel.spend(1 + (pattern.len() + text.len()) / 16) {
            return None;
        }
        let mut steps = 0;
        let answer = pattern::matches(pattern, text, &mut steps);
        self.fuel.spend(steps as usize / 16);
        answer
    }

    fn members(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let Some(members) = sample.members() else { return Accepts };
        let has = |name: &str| members.binary_search_by(|(member, _)| (**member).cmp(name)).is_ok();
        let required = texts(keywords.get("required")).all(has);
        let size = members.len() as u64;
        let sized = count(keywords, "minProperties").is_none_or(|least| size >= least)
            && count(keywords, "maxProperties").is_none_or(|most| size <= most);
        let mut verdict = Verdict::of(required && sized);
        for (name, value) in &members {
            if verdict == Rejects || !self.fuel.spend(1) {
                return verdict.and(Unknown);
            }
            verdict = verdict.and(self.member(keywords, name, value, depth));
        }
        verdict
    }

    fn member(&self, keywords: &Keywords, name: &str, value: &Sample<'_>, depth: usize) -> Verdict {
        let mut verdict = Accepts;
        let mut described = Verdict::of(false);
        if let Some(schema) = keywords.get("properties").and_then(|properties| properties.get(name)) {
            described = Accepts;
            verdict = self.schema(schema, value, depth + 1);
        }
        for (pattern, schema) in entries(keywords, "patternProperties") {
            let applies = Verdict::of_known(self.matches(pattern, name));
            described = described.or(applies);
            if applies != Rejects {
                verdict = verdict.and(applies.negated().or(self.schema(schema, value, depth + 1)));
            }
        }
        if described == Accepts {
            return verdict;
        }
        let rest = if let Some(schema) = keywords.get("additionalProperties") {
            self.schema(schema, value, depth + 1)
        } else if let Some(schema) = keywords.get("unevaluatedProperties") {
            let rest = self.schema(schema, value, depth + 1);
            if is_composed(keywords) { rest.or(Unknown) } else { rest }
        } else {
            Accepts
        };
        verdict.and(described.or(rest))
    }

    fn names(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let (Some(schema), Some(members)) = (keywords.get("propertyNames"), sample.members()) else {
            return Accepts;
        };
        let verdicts =
            members.into_iter().map(|(name, _)| self.schema(schema, &Sample::Word(name), depth + 1));
        verdicts.fold(Accepts, Verdict::and)
    }

    fn dependents(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        if !keywords.contains_key("dependentRequired") && !keywords.contains_key("dependentSchemas") {
            return Accepts;
        }
        let Some(members) = sample.members() else { return Accepts };
        let has = |name: &str| members.binary_search_by(|(member, _)| (**member).cmp(name)).is_ok();
        let required = entries(keywords, "dependentRequired")
            .filter(|(name, _)| has(name))
            .all(|(_, names)| texts(Some(names)).all(has));
        let schemas = entries(keywords, "dependentSchemas").filter(|(name, _)| has(name));
        let verdicts = schemas.map(|(_, schema)| self.schema(schema, sample, depth + 1));
        verdicts.fold(Verdict::of(required), Verdict::and)
    }

    fn list(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let Some(runs) = sample.items() else { return Accepts };
        let size: u64 = runs.iter().map(|(_, count)| count).sum();
        let sized = count(keywords, "minItems").is_none_or(|least| size >= least)
            && count(keywords, "maxItems").is_none_or(|most| size <= most);
        let mut verdict = Verdict::of(sized);
        let prefix = list(keywords, "prefixItems");
        let mut index = 0_u64;
        for (item, count) in &runs {
            let mut left = *count;
            while left > 0 {
                if verdict == Rejects || !self.fuel.spend(1) {
                    return verdict.and(Unknown);
                }
                let place = usize::try_from(index).ok().and_then(|index| prefix.get(index));
                verdict = verdict.and(match place {
                    Some(schema) => self.schema(schema, item, depth + 1),
                    None => self.rest_item(keywords, item, depth),
                });
                // Behind the prefix, the equal items of a run are all told by one of them.
                let step = if place.is_some() { 1 } else { left };
                index += step;
                left -= step;
            }
        }
        verdict.and(if keywords.get("uniqueItems") == Some(&Value::Bool(true)) {
            self.unique(&runs)
        } else {
            Accepts
        })
    }

    fn rest_item(&self, keywords: &Keywords, item: &Sample<'_>, depth: usize) -> Verdict {
        if let Some(schema) = keywords.get("items") {
            return self.schema(schema, item, depth + 1);
        }
        let Some(schema) = keywords.get("unevaluatedItems") else { return Accepts };
        let verdict = self.schema(schema, item, depth + 1);
        if is_composed(keywords) || keywords.contains_key("contains") { verdict.or(Unknown) } else { verdict }
    }

    fn unique(&self, runs: &[(Sample<'_>, u64)]) -> Verdict {
        let mut verdict = Verdict::of(runs.iter().all(|(_, count)| *count <= 1));
        for (index, (item, _)) in runs.iter().enumerate() {
            if verdict == Rejects || !self.fuel.spend(1 + index / 4) {
                return verdict.and(Unknown);
            }
            let equal = runs[..index].iter().map(|(other, _)| Verdict::of_known(item.equals(other)));
            verdict = verdict.and(equal.fold(Rejects, Verdict::or).negated());
        }
        verdict
    }

    fn contains(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let (Some(schema), Some(runs)) = (keywords.get("contains"), sample.items()) else { return Accepts };
        let (mut certain, mut possible) = (0_u64, 0_u64);
        for (item, count) in &runs {
            match self.schema(schema, item, depth + 1) {
                Accepts => {
                    certain += count;
                    possible += count;
                }
                Unknown => possible += count,
                Rejects => {}
            }
        }
        let least = count(keywords, "minContains").unwrap_or(1);
        let most = count(keywords, "maxContains").map_or(Accepts, |most| at_most(certain, possible, most));
        at_least(certain, possible, least).and(most)
    }

    fn composition(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let ask = |schema: &Value| self.schema(schema, sample, depth + 1);
        let mut verdict = list(keywords, "allOf").iter().map(ask).fold(Accepts, Verdict::and);
        if keywords.contains_key("anyOf") {
            verdict = verdict.and(list(keywords, "anyOf").iter().map(ask).fold(Rejects, Verdict::or));
        }
        if keywords.contains_key("oneOf") {
            let answers: Vec<Verdict> = list(keywords, "oneOf").iter().map(ask).collect();
            let certain = answers.iter().filter(|answer| **answer == Accepts).count() as u64;
            let possible = answers.iter().filter(|answer| **answer != Rejects).count() as u64;
            verdict = verdict.and(at_least(certain, possible, 1)).and(at_most(certain, possible, 1));
        }
        keywords.get("not").map_or(verdict, |schema| verdict.and(ask(schema).negated()))
    }

    fn condition(&self, keywords: &Keywords, sample: &Sample<'_>, depth: usize) -> Verdict {
        let Some(condition) = keywords.get("if") else { return Accepts };
        let branch =
            |keyword| keywords.get(keyword).map_or(Accepts, |schema| self.schema(schema, sample, depth + 1));
        match self.schema(condition, sample, depth + 1) {
            Accepts => branch("then"),
            Rejects => branch("else"),
            Unknown => match branch("then") {
                answer if answer == branch("else") => answer,
                _ => Unknown,
            },
        }
    }
}

/// A limit such as `minLength`. Limits beyond `u64` are as good as its end.
pub(super) fn count(keywords: &Keywords, keyword: &str) -> Option<u64> {
    match Num::of_value(keywords.get(keyword))? {
        Num::Whole(count) => Some(u64::try_from(count.max(0)).unwrap_or(u64::MAX)),
        Num::Real(count) if count.fract() == 0.0 && count > 0.0 => Some(u64::MAX),
        Num::Real(_) => None,
    }
}

/// Whether a number somewhere in `min..=max` is at least `limit`.
fn at_least(min: u64, max: u64, limit: u64) -> Verdict {
    if min >= limit {
        Accepts
    } else if max < limit {
        Rejects
    } else {
        Unknown
    }
}

fn at_most(min: u64, max: u64, limit: u64) -> Verdict {
    if max <= limit {
        Accepts
    } else if min > limit {
        Rejects
    } else {
        Unknown
    }
}
