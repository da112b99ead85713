//! Makes samples that a shape should accept: small ones, and ones at the edges of its limits and of a reader's.
//!
//! These are suggestions. Whether a sample is what it should be is left to `evaluate`.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::evaluate::Verdict;
use super::members::{Guess, Name};
use super::number::Num;
use super::sample::{Sample, Text};
use super::schema::{Term, entries};
use super::shape::Shape;
use super::types::Types;

/// How deep required members and items are made up.
const DEPTH_MAX: usize = 12;
const STEPS_MAX: u32 = 3_000;
/// Values taken from a list of values.
const VALUES_MAX: usize = 16;
/// Longer texts are described, not written out.
const WORD_MAX: u64 = 128;
/// Members of an object, and items that must all differ.
const MEMBERS_MAX: u64 = 256;
const ITEMS_UNEQUAL_MAX: u64 = 64;
/// How many new names are tried beyond those needed.
const FRESH_SPARE: u64 = 4;

static NULL: Value = Value::Null;
static BOOLEANS: [Value; 2] = [Value::Bool(false), Value::Bool(true)];

/// What an object should be like beyond what its shape asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish<'n, 's> {
    pub(super) with: Option<(&'n str, Sample<'s>)>,
    pub(super) without: Option<&'n str>,
    pub(super) size: u64,
}

impl<'s> Term<'s> {
    /// A value that is valid, if one is found.
    pub(super) fn sample(&self) -> Option<Sample<'s>> {
        self.doc.fuel.at_most(STEPS_MAX, || self.sample_at(0))
    }

    fn sample_at(&self, depth: usize) -> Option<Sample<'s>> {
        if depth > DEPTH_MAX || !self.doc.fuel.spend(1) {
            return None;
        }
        if self.is_anything() {
            return Some(Sample::Number(Num::Whole(0)));
        }
        let valid = |sample: &Sample<'s>| self.evaluate(sample) == Verdict::Accepts;
        self.shapes().iter().find_map(|shape| shape.candidates_at(None, depth).into_iter().find(valid))
    }

    fn samples_at(&self, depth: usize) -> Vec<Sample<'s>> {
        if depth > DEPTH_MAX || !self.doc.fuel.spend(1) {
            return Vec::new();
        }
        let samples = self.shapes().into_iter().flat_map(|shape| shape.candidates_at(None, depth));
        samples.filter(|sample| self.evaluate(sample) == Verdict::Accepts).collect()
    }
}

impl<'s> Shape<'s> {
    /// The only values there are, where they can be counted.
    pub(super) fn finite(&self) -> Option<Vec<&'s Value>> {
        if let Some(values) = &self.values {
            return Some(values.clone());
        }
        self.types.within(Types::NULL.or(Types::BOOLEAN)).then(|| {
            let null = self.types.meets(Types::NULL).then_some(&NULL);
            let booleans = if self.types.meets(Types::BOOLEAN) { BOOLEANS.as_slice() } else { &[] };
            null.into_iter().chain(booleans).collect()
        })
    }

    /// Values that should be valid, the more telling ones against the reader's shape among them.
    pub(super) fn candidates(&self, reader: Option<&Self>) -> Vec<Sample<'s>> {
        self.doc.fuel.at_most(STEPS_MAX, || self.candidates_at(reader, 0))
    }

    fn candidates_at(&self, reader: Option<&Self>, depth: usize) -> Vec<Sample<'s>> {
        if let Some(values) = self.finite() {
            return values.into_iter().take(VALUES_MAX).map(Sample::Known).collect();
        }
        let pieces = self.types.pieces().into_iter();
        pieces
            .flat_map(|piece| match piece {
                Types::NULL | Types::BOOLEAN => {
                    let values = self.only(piece).finite().unwrap_or_default();
                    values.into_iter().map(Sample::Known).collect()
                }
                Types::TEXT => self.texts(reader),
                Types::LIST => self.lists(reader, depth),
                Types::OBJECT => self.objects(reader, depth),
                _ => self.numbers(reader),
            })
            .collect()
    }

    fn numbers(&self, reader: Option<&Self>) -> Vec<Sample<'s>> {
        let mut bases = vec![Num::Whole(0), Num::Whole(1)];
        for shape in [Some(self), reader].into_iter().flatten() {
            bases.extend([shape.low(), shape.high()].into_iter().flatten().map(|bound| bound.number));
        }
        let mut numbers = Vec::new();
        for base in bases {
            numbers.extend([0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 0.001].map(|offset| base.plus(offset)));
            if let Num::Real(float) = base {
                // One more or less makes no difference to a large float.
                numbers.extend([float * 2.0, float / 2.0].map(Num::of_float));
            }
            for step in self.multiples() {
                if let (Num::Whole(base), Num::Whole(step)) = (base, step)
                    && step > 0
                {
                    let floor = base.div_euclid(step).saturating_mul(step);
                    numbers.extend(
                        [floor, floor.saturating_add(step), floor.saturating_sub(step)].map(Num::Whole),
                    );
                }
            }
        }
        let fits = |number: &Num| Types::of_number(*number).within(self.types);
        numbers.into_iter().filter(fits).map(Sample::Number).collect()
    }

    fn texts(&self, reader: Option<&Self>) -> Vec<Sample<'s>> {
        let (min, max) = (self.least("minLength"), self.most("maxLength").unwrap_or(u64::MAX));
        let patterns = self.patterns();
        if patterns.len() > 1 {
            // Whether two patterns have a text in common is not known.
            return Vec::new();
        }
        if let Some(pattern) = patterns.first() {
            return vec![Sample::Text(Text { min, max, pattern: Some(pattern) })];
        }
        let mut lengths = vec![min.max(1), min, min.saturating_add(7)];
        if let Some(reader) = reader {
            lengths.extend(reader.most("maxLength").map(|most| most.saturating_add(1)));
            lengths.push(reader.least("minLength").saturating_sub(1));
        }
        lengths.push(max);
        lengths.retain(|length| (min..=max).contains(length));
        lengths.sort_unstable();
        lengths.dedup();
        let mut texts = Vec::new();
        for length in lengths {
            if length > WORD_MAX {
                texts.push(Sample::Text(Text { min: length, max: length, pattern: None }));
            } else {
                let times = usize::try_from(length).unwrap_or(0);
                texts.extend(["x", "7", " ", "é"].map(|letter| Sample::word(&letter.repeat(times))));
            }
        }
        texts
    }

    fn objects(&self, reader: Option<&Self>, depth: usize) -> Vec<Sample<'s>> {
        let mut sizes = vec![0];
        if let Some(reader) = reader {
            sizes.extend(reader.most("maxProperties").map(|most| most.saturating_add(1)));
        }
        // As many of the described members as there are, too: some conditions only bite then. Within another value, the
        // smallest will do, and more would multiply.
        if depth == 0 {
            sizes.push(self.names().len() as u64);
        }
        let wishes = sizes.into_iter().map(|size| Wish { size, ..Wish::default() });
        wishes.filter_map(|wish| self.object(&wish, depth)).collect()
    }

    /// An object with what is required and wished for, made up otherwise.
    pub(super) fn object(&self, wish: &Wish<'_, 's>, depth: usize) -> Option<Sample<'s>> {
        let required = self.required();
        let least = wish.size.max(self.least("minProperties"));
        if depth > DEPTH_MAX
            || least > MEMBERS_MAX
            || wish.without.is_some_and(|name| required.contains(name))
        {
            return None;
        }
        let mut members: BTreeMap<Rc<str>, Sample<'s>> = BTreeMap::new();
        members.extend(wish.with.iter().map(|(name, sample)| (Rc::from(*name), sample.clone())));
        for name in required {
            if !members.contains_key(name) {
                members.insert(Rc::from(name), self.member(name, depth)?);
            }
        }
        let fresh = (0..least + FRESH_SPARE).map(|index| format!("other{index}"));
        for name in self.names().into_iter().map(str::to_owned).chain(fresh) {
            if members.len() as u64 >= least || !self.doc.fuel.spend(1) {
                break;
            }
            if Some(&*name) == wish.without || members.contains_key(&*name) {
                continue;
            }
            if let Some(sample) = self.member(&name, depth) {
                members.insert(Rc::from(name), sample);
            }
        }
        Some(Sample::Object(Rc::new(members)))
    }

    fn member(&self, name: &str, depth: usize) -> Option<Sample<'s>> {
        self.property(Name::Named(name), &Guess::new()).sample_at(depth + 1)
    }

    /// Names that neither shape describes: a plain one, and for each simple pattern one that may match it.
    pub(super) fn fresh_names(&self, reader: &Self) -> Vec<String> {
        let described = |name: &String| {
            let has = |shape: &Self| shape.names().contains(name.as_str());
            has(self) || has(reader)
        };
        let mut names = vec!["other".to_owned(), "o".to_owned(), "OTHER_1".to_owned(), "7".to_owned()];
        for part in self.parts.iter().chain(&reader.parts) {
            for (pattern, _) in entries(part, "patternProperties").take(VALUES_MAX) {
                let literal = pattern.strip_prefix('^').unwrap_or(pattern);
                let plain = |char: &char| char.is_alphanumeric() || matches!(char, '-' | '_' | ' ');
                let literal: String = literal.chars().take_while(plain).collect();
                names.extend([format!("{literal}other"), literal]);
            }
        }
        names.retain(|name| !described(name));
        names
    }

    fn lists(&self, reader: Option<&Self>, depth: usize) -> Vec<Sample<'s>> {
        let least = self.items_min();
        let mut lengths = vec![least];
        if depth == 0 {
            lengths.push(least.max(1));
        }
        if let Some(reader) = reader {
            lengths.extend(reader.items_max().map(|most| most.saturating_add(1)));
            lengths.push(least.max(2));
        }
        lengths.dedup();
        lengths.into_iter().filter_map(|length| self.list(None, length, depth)).collect()
    }

    /// A list of this many items, with one of them given.
    pub(super) fn list(
        &self,
        with: Option<(usize, Sample<'s>)>,
        length: u64,
        depth: usize,
    ) -> Option<Sample<'s>> {
        let prefix = self.prefix() as u64;
        let unique = self.is_unique();
        let single = if unique { length } else { prefix.max(self.contained()).min(length) };
        if depth > DEPTH_MAX || (unique && length > ITEMS_UNEQUAL_MAX) || single > MEMBERS_MAX {
            return None;
        }
        let mut runs: Vec<(Sample<'s>, u64)> = Vec::new();
        for index in 0..single {
            let index = usize::try_from(index).ok()?;
            let given = with.as_ref().filter(|(at, _)| *at == index);
            let item = match given {
                Some((_, sample)) => sample.clone(),
                None if unique => {
                    let new =
                        |sample: &Sample<'s>| runs.iter().all(|(run, _)| sample.equals(run) == Some(false));
                    let given_too = |sample: &Sample<'s>| {
                        with.as_ref().is_none_or(|(_, with)| sample.equals(with) == Some(false))
                    };
                    let mut samples = self.item_wanted(index).samples_at(depth + 1).into_iter();
                    samples.find(|sample| new(sample) && given_too(sample))?
                }
                None => self.item_wanted(index).sample_at(depth + 1)?,
            };
            runs.push((item, 1));
        }
        let mut left = length - single;
        if let Some((_, sample)) = with.filter(|(index, _)| *index as u64 >= single && left > 0) {
            runs.push((sample, 1));
            left -= 1;
        }
        if left > 0 {
            runs.push((self.item(self.prefix()).sample_at(depth + 1)?, left));
        }
        Some(Sample::List(Rc::from(runs)))
    }

    /// How many items `contains` asks for.
    fn contained(&self) -> u64 {
        let parts = self.parts.iter().filter(|part| part.contains_key("contains"));
        parts.map(|part| super::evaluate::count(part, "minContains").unwrap_or(1)).max().unwrap_or(0)
    }

    /// What an item must be for `contains` to be met as well.
    fn item_wanted(&self, index: usize) -> Term<'s> {
        let mut term = self.item(index);
        for part in &self.parts {
            let least = super::evaluate::count(part, "minContains").unwrap_or(1);
            if let Some(schema) = part.get("contains")
                && (index as u64) < least
            {
                term.push(schema);
            }
        }
        term
    }
}
