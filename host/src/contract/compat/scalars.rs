//! Types, listed values, numbers and texts of one alternative against one.
//!
//! Leaves objects and lists to their own modules.

use super::engine::{Engine, Finding, Pair};
use super::facets::{Bound, tighter_high, tighter_low, whole_high, whole_low};
use super::number::Num;
use super::sample::Sample;
use super::shape::Shape;
use super::types::Types;

impl<'s> Engine<'_, 's> {
    /// The types that the writer may send and the reader does not take.
    pub(super) fn kinds(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let excess = writer.types.minus(reader.types);
        if excess.is_empty() {
            return Vec::new();
        }
        let says = self.says.types(excess, reader.types);
        vec![pair.suspect(says, writer.only(excess).candidates(Some(reader)))]
    }

    /// The reader lists its values.
    pub(super) fn values(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        if writer.finite().is_some() {
            return self.listed(pair, writer, std::slice::from_ref(reader));
        }
        let known = reader.values.clone().unwrap_or_default();
        vec![pair.suspect(self.says.only_values(&known), writer.candidates(Some(reader)))]
    }

    pub(super) fn numbers(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings = Vec::new();
        let (ours, whole) = (writer.low(), writer.types == Types::WHOLE);
        if let Some(theirs) = reader.low()
            && !ours.is_some_and(|ours| keeps_low(ours, theirs, whole))
        {
            let outside = |number: Num| number.order(theirs.number).is_lt() || is_end(number, theirs);
            findings.push(pair.suspect(self.says.bound(theirs, ours), numbers(writer, reader, outside)));
        }
        let ours = writer.high();
        if let Some(theirs) = reader.high()
            && !ours.is_some_and(|ours| keeps_high(ours, theirs, whole))
        {
            let outside = |number: Num| number.order(theirs.number).is_gt() || is_end(number, theirs);
            findings.push(pair.suspect(self.says.bound(theirs, ours), numbers(writer, reader, outside)));
        }
        for theirs in reader.multiples() {
            let ones = whole && theirs.order(Num::Whole(1)).is_eq();
            let keeps = |ours: Num| ours.order(theirs).is_eq() || ours.is_multiple_of(theirs) == Some(true);
            if !ones && !writer.multiples().any(keeps) {
                let outside = |number: Num| number.is_multiple_of(theirs) == Some(false);
                let says = self.says.step(theirs, writer.multiples().next());
                findings.push(pair.suspect(says, numbers(writer, reader, outside)));
            }
        }
        findings
    }

    pub(super) fn texts(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings = Vec::new();
        let samples = |outside: &dyn Fn(&Sample<'s>) -> bool| {
            let mut samples = writer.candidates(Some(reader));
            samples.retain(outside);
            samples
        };
        let (ours, theirs) = (writer.least("minLength"), reader.least("minLength"));
        if ours < theirs {
            let says = self.says.limit("minLength", theirs, (ours > 0).then_some(ours));
            let short = |sample: &Sample<'s>| sample.text().is_some_and(|text| text.max < theirs);
            findings.push(pair.suspect(says, samples(&short)));
        }
        let ours = writer.most("maxLength");
        if let Some(theirs) = reader.most("maxLength")
            && ours.is_none_or(|ours| ours > theirs)
        {
            let long = |sample: &Sample<'s>| sample.text().is_some_and(|text| text.min > theirs);
            findings.push(pair.suspect(self.says.limit("maxLength", theirs, ours), samples(&long)));
        }
        let ours = writer.patterns();
        for theirs in reader.patterns().difference(&ours) {
            let other = |sample: &Sample<'s>| {
                sample.exact_text().is_some_and(|text| reader.doc.matches(theirs, text) == Some(false))
            };
            let finding = pair.suspect(self.says.pattern(theirs), samples(&other));
            let unclear = finding.witness.is_none();
            findings.push(if unclear { pair.doubt(self.says.pattern_unclear(theirs)) } else { finding });
        }
        findings
    }
}

/// The made-up numbers of the writer that lie outside a limit of the reader.
fn numbers<'s>(writer: &Shape<'s>, reader: &Shape<'s>, outside: impl Fn(Num) -> bool) -> Vec<Sample<'s>> {
    let mut samples = writer.candidates(Some(reader));
    samples.retain(|sample| sample.number().is_some_and(&outside));
    samples
}

fn is_end(number: Num, bound: Bound) -> bool {
    bound.exclusive && number.order(bound.number).is_eq()
}

fn keeps_low(ours: Bound, theirs: Bound, whole: bool) -> bool {
    let whole = whole && whole_low(ours).zip(whole_low(theirs)).is_some_and(|(ours, theirs)| ours >= theirs);
    whole || !tighter_low(theirs, ours)
}

fn keeps_high(ours: Bound, theirs: Bound, whole: bool) -> bool {
    let whole =
        whole && whole_high(ours).zip(whole_high(theirs)).is_some_and(|(ours, theirs)| ours <= theirs);
    whole || !tighter_high(theirs, ours)
}
