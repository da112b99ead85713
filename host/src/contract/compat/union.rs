//! Alternatives: one of the writer's against all of the reader's.
//!
//! A writer's alternative is accepted if one of the reader's accepts all of it, or if it can be split, by type or by a
//! tag, into pieces that are each accepted. Leaves the keywords of one alternative to `Engine::shapes`.

use super::engine::{Engine, Finding, Pair};
use super::evaluate::Verdict;
use super::members::{Guess, Name};
use super::sample::Sample;
use super::shape::Shape;
use super::types::Types;

/// A tag with more values is not split by.
const TAG_VALUES_MAX: usize = 64;

impl<'s> Engine<'_, 's> {
    pub(super) fn against_all(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        readers: &[Shape<'s>],
    ) -> Vec<Finding<'s>> {
        if writer.values.is_some() && readers.iter().any(|reader| reader.types.meets(writer.types)) {
            return self.listed(pair, writer, readers);
        }
        let live: Vec<&Shape<'s>> = readers.iter().filter(|reader| !writer.is_apart(reader)).collect();
        match (live.as_slice(), readers) {
            ([only], _) => self.shapes(pair, writer, only),
            ([], [only]) => self.shapes(pair, writer, only),
            ([], _) => vec![self.none(pair, writer, readers)],
            (several, _) => self.several(pair, writer, several, readers),
        }
    }

    /// The writer lists its values: each is held against the whole of the reader's schema.
    pub(super) fn listed(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        readers: &[Shape<'s>],
    ) -> Vec<Finding<'s>> {
        let (mut rejected, mut unknown) = (Vec::new(), Vec::new());
        for value in writer.finite().unwrap_or_default() {
            let sample = Sample::Known(value);
            if pair.writer.evaluate(&sample) == Verdict::Rejects {
                continue;
            }
            match pair.reader.evaluate(&sample) {
                Verdict::Accepts => {}
                Verdict::Rejects => rejected.push(value),
                Verdict::Unknown => unknown.push(value),
            }
        }
        let mut findings = Vec::new();
        if !rejected.is_empty() {
            let known: Vec<_> =
                readers.iter().filter_map(|reader| reader.values.as_ref()).flatten().copied().collect();
            let all_listed = readers.iter().all(|reader| reader.values.is_some());
            let says = self.says.values(&rejected, all_listed.then_some(known.as_slice()));
            findings.push(pair.suspect(says, rejected.into_iter().map(Sample::Known)));
        }
        if !unknown.is_empty() {
            findings.push(pair.doubt(self.says.values_unclear(&unknown)));
        }
        findings
    }

    /// No alternative of the reader has anything in common with this one of the writer.
    fn none(&self, pair: &Pair<'_, 's>, writer: &Shape<'s>, readers: &[Shape<'s>]) -> Finding<'s> {
        let types = readers.iter().map(|reader| reader.types).fold(Types::NONE, Types::or);
        let samples = writer.candidates(None).into_iter().chain(pair.writer.sample());
        if !writer.types.meets(types) {
            return pair.suspect(self.says.types(writer.types, types), samples);
        }
        if let Some((name, values)) = self.tag(writer, readers) {
            let place = pair.place.child(name);
            let says = self.says.tag(&values);
            return Finding { path: place.path, ..pair.suspect(says, samples) };
        }
        pair.suspect(self.says.no_alternative(), samples)
    }

    /// The property whose values keep this writer's alternative from all of the reader's.
    fn tag(
        &self,
        writer: &Shape<'s>,
        readers: &[Shape<'s>],
    ) -> Option<(&'s str, Vec<&'s serde_json::Value>)> {
        writer.required().into_iter().find_map(|name| {
            let values = self.tag_values(writer, name)?;
            let foreign = readers.iter().all(|reader| {
                let theirs = reader.property(Name::Named(name), &Guess::new());
                values.iter().all(|value| theirs.evaluate(&Sample::Known(value)) == Verdict::Rejects)
            });
            foreign.then_some((name, values))
        })
    }

    fn tag_values(&self, shape: &Shape<'s>, name: &str) -> Option<Vec<&'s serde_json::Value>> {
        let mut values = Vec::new();
        for shape in shape.property(Name::Named(name), &Guess::new()).shapes() {
            values.extend(shape.finite()?);
        }
        (values.len() <= TAG_VALUES_MAX).then_some(values)
    }

    fn several(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        live: &[&Shape<'s>],
        readers: &[Shape<'s>],
    ) -> Vec<Finding<'s>> {
        let mut closest: Vec<Finding<'s>> = Vec::new();
        for reader in live {
            if self.fuel.is_empty() {
                return vec![pair.too_large()];
            }
            let findings = self.attempt(|engine| engine.shapes(pair, writer, reader));
            if findings.is_empty() {
                return findings;
            }
            let certain: Vec<Finding<'s>> =
                findings.into_iter().filter(|finding| finding.witness.is_some()).collect();
            if closest.is_empty() || (!certain.is_empty() && certain.len() < closest.len()) {
                closest = certain;
            }
        }
        let pieces = self.split(writer, live);
        if !pieces.is_empty() {
            let mut findings = Vec::new();
            for piece in pieces {
                if findings.len() <= super::engine::FINDINGS_MAX {
                    findings.extend(self.against_all(pair, &piece, readers));
                }
            }
            return findings;
        }
        if writer.types.within(Types::NULL.or(Types::BOOLEAN)) {
            return self.listed(pair, writer, readers);
        }
        if closest.is_empty() {
            let samples = live.iter().flat_map(|reader| writer.candidates(Some(reader)));
            let mut finding = pair.suspect(self.says.no_alternative(), samples);
            if finding.witness.is_none() {
                finding = pair.doubt(self.says.alternatives_unclear());
            }
            closest.push(finding);
        }
        closest
    }

    /// The pieces of a writer's alternative: by type, then whole numbers and fractions, then by a tag.
    fn split(&self, writer: &Shape<'s>, live: &[&Shape<'s>]) -> Vec<Shape<'s>> {
        let by_type = writer.types.pieces();
        if by_type.len() > 1 {
            return by_type.into_iter().map(|piece| writer.only(piece)).collect();
        }
        if writer.types == Types::NUMBER {
            return vec![writer.only(Types::WHOLE), writer.only(Types::FRACTION)];
        }
        if writer.types != Types::OBJECT {
            return Vec::new();
        }
        for name in writer.required() {
            let telling = live.iter().any(|reader| self.tag_values(reader, name).is_some());
            if let Some(values) = self.tag_values(writer, name).filter(|values| telling && values.len() > 1) {
                return values.into_iter().map(|value| writer.pinned(name, value)).collect();
            }
        }
        Vec::new()
    }
}
