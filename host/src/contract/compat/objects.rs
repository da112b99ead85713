//! Objects of one alternative against one: required and forbidden properties, sizes, and each property by itself.
//!
//! Leaves what a shape says of one property to `members`.

use std::collections::BTreeSet;

use super::alike;
use super::engine::{Engine, FINDINGS_MAX, Finding, Pair};
use super::evaluate::Verdict;
use super::members::{Guess, Name};
use super::sample::Sample;
use super::schema::{Atom, Term};
use super::shape::Shape;
use super::witness::Wish;

/// With more patterns that may or may not match, not all cases are gone through.
const PATTERNS_MAX: usize = 4;

impl<'s> Engine<'_, 's> {
    pub(super) fn objects(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings = self.required(pair, writer, reader);
        findings.extend(self.sizes(pair, writer, reader));
        findings.extend(self.property_names(pair, writer, reader));
        let missing: BTreeSet<&str> = reader.required().difference(&writer.required()).copied().collect();
        let mut names = writer.names();
        names.extend(reader.names());
        names.extend(writer.required());
        for name in names {
            if findings.len() > FINDINGS_MAX || self.fuel.is_empty() {
                findings.push(pair.too_large());
                return findings;
            }
            // A property that the writer does not speak of is reported as missing already where it is required.
            if writer.describes(name) || !missing.contains(name) {
                findings.extend(self.property(pair, writer, reader, name));
            }
        }
        findings.extend(self.others(pair, writer, reader));
        findings
    }

    fn required(&self, pair: &Pair<'_, 's>, writer: &Shape<'s>, reader: &Shape<'s>) -> Vec<Finding<'s>> {
        let (ours, theirs) = (writer.required(), reader.required());
        let missing = theirs.difference(&ours).take(FINDINGS_MAX);
        let findings = missing.map(|name| {
            let sizes = [0, writer.names().len().saturating_sub(1) as u64].into_iter();
            let wishes = sizes.map(|size| Wish { without: Some(name), size, ..Wish::default() });
            let samples = wishes.filter_map(|wish| writer.object(&wish, 0));
            let path = pair.place.child(name).path;
            Finding { path, ..pair.suspect(self.says.required(name), samples) }
        });
        findings.collect()
    }

    fn sizes(&self, pair: &Pair<'_, 's>, writer: &Shape<'s>, reader: &Shape<'s>) -> Vec<Finding<'s>> {
        let mut findings = Vec::new();
        let size = |sample: &Sample<'s>| sample.members().map_or(0, |members| members.len() as u64);
        let (ours, theirs) = (writer.members_min(), reader.least("minProperties"));
        if ours < theirs {
            let says = self.says.limit("minProperties", theirs, (ours > 0).then_some(ours));
            let sample = writer.object(&Wish::default(), 0).filter(|sample| size(sample) < theirs);
            findings.push(pair.suspect(says, sample));
        }
        let ours = writer.most("maxProperties");
        if let Some(theirs) = reader.most("maxProperties")
            && ours.into_iter().chain(closed_size(writer)).min().is_none_or(|ours| ours > theirs)
        {
            let wish = Wish { size: theirs.saturating_add(1), ..Wish::default() };
            let sample = writer.object(&wish, 0).filter(|sample| size(sample) > theirs);
            findings.push(pair.suspect(self.says.limit("maxProperties", theirs, ours), sample));
        }
        findings
    }

    fn property(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
        name: &'s str,
    ) -> Vec<Finding<'s>> {
        let place = pair.place.child(name);
        let child = Pair { place: &place, ..*pair };
        let mut patterns = writer.open_patterns(Name::Named(name));
        patterns.extend(reader.open_patterns(Name::Named(name)));
        let mut findings = Vec::new();
        for guess in guesses(&patterns) {
            let ours = writer.property(Name::Named(name), &guess);
            let theirs = reader.property(Name::Named(name), &guess);
            if theirs.is_anything() || ours.is_hollow() {
                continue;
            }
            let whole = |sample| writer.object(&Wish { with: Some((name, sample)), ..Wish::default() }, 0);
            if !writer.describes(name) {
                let found = self.attempt(|engine| engine.terms(&ours, &theirs, &place));
                if !found.is_empty() {
                    findings.push(child.doubt(self.says.undescribed(name)));
                }
            } else if theirs.is_hollow() {
                let says = self.says.forbidden(name, writer.required().contains(name));
                findings.push(child.suspect(says, ours.sample().and_then(whole)));
            } else {
                let found = self.terms(&ours, &theirs, &place);
                findings.extend(found.into_iter().map(|finding| pair.lift(finding, whole)));
            }
        }
        if patterns.len() > PATTERNS_MAX {
            findings.push(child.doubt(self.says.not_compared("patternProperties")));
        }
        findings
    }

    /// The properties that neither schema names.
    fn others(&mut self, pair: &Pair<'_, 's>, writer: &Shape<'s>, reader: &Shape<'s>) -> Vec<Finding<'s>> {
        let place = pair.place.child("*");
        let child = Pair { place: &place, ..*pair };
        let mut patterns = writer.open_patterns(Name::Other);
        patterns.extend(reader.open_patterns(Name::Other));
        let names = writer.fresh_names(reader);
        let mut findings = Vec::new();
        for guess in guesses(&patterns) {
            let (ours, theirs) = (writer.property(Name::Other, &guess), reader.property(Name::Other, &guess));
            if theirs.is_anything() || ours.is_hollow() {
                continue;
            }
            let whole = |sample: Sample<'s>| {
                let wishes =
                    names.iter().map(|name| Wish { with: Some((name, sample.clone())), ..Wish::default() });
                let mut objects = wishes.filter_map(|wish| writer.object(&wish, 0));
                objects.find(|object| child.certifies(object))
            };
            // As with a name: the reader describes it, and the writer leaves it open.
            let pattern = guess.iter().find(|(_, matches)| **matches).filter(|_| ours.is_anything());
            if let Some((pattern, _)) = pattern {
                if !self.attempt(|engine| engine.terms(&ours, &theirs, &place)).is_empty() {
                    findings.push(child.doubt(self.says.undescribed(pattern)));
                }
            } else if theirs.is_hollow() {
                let known = reader.names();
                let says = self.says.closed(known.into_iter());
                findings.push(child.suspect(says, ours.sample().and_then(whole)));
            } else {
                let found = self.terms(&ours, &theirs, &place);
                findings.extend(found.into_iter().map(|finding| pair.lift(finding, whole)));
            }
        }
        if patterns.len() > PATTERNS_MAX {
            findings.push(child.doubt(self.says.not_compared("patternProperties")));
        }
        findings
    }

    fn property_names(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut ours = Term { doc: writer.doc, atoms: vec![Atom::Text] };
        writer.parts.iter().filter_map(|part| part.get("propertyNames")).for_each(|schema| ours.push(schema));
        let mut findings = Vec::new();
        for part in &reader.parts {
            let Some(schema) = part.get("propertyNames") else { continue };
            let theirs = Term { doc: reader.doc, atoms: vec![Atom::Schema(schema)] };
            let accepts = |name: &str| theirs.evaluate(&Sample::word(name));
            let listed = closed_size(writer).is_some()
                && writer.names().into_iter().all(|name| {
                    let sent = !writer.property(Name::Named(name), &Guess::new()).is_hollow();
                    !sent || accepts(name) == Verdict::Accepts
                });
            if listed
                || alike::implied(&ours, &theirs)
                || self.attempt(|engine| engine.terms(&ours, &theirs, pair.place)).is_empty()
            {
                continue;
            }
            let names = writer.names().into_iter().map(str::to_owned).chain(writer.fresh_names(reader));
            let samples = names.filter(|name| accepts(name) == Verdict::Rejects).filter_map(|name| {
                let member = writer.property(Name::Named(&name), &Guess::new()).sample()?;
                writer.object(&Wish { with: Some((&name, member)), ..Wish::default() }, 0)
            });
            let finding = pair.suspect(self.says.unmet("propertyNames"), samples);
            let unclear = finding.witness.is_none();
            findings.push(if unclear {
                pair.doubt(self.says.not_compared("propertyNames"))
            } else {
                finding
            });
        }
        findings
    }
}

/// How many properties an object has at most, where the writer names them all.
fn closed_size(writer: &Shape<'_>) -> Option<u64> {
    let closed = writer.open_patterns(Name::Other).is_empty()
        && writer.property(Name::Other, &Guess::new()).is_hollow();
    let sent = |name: &&str| !writer.property(Name::Named(name), &Guess::new()).is_hollow();
    closed.then(|| writer.names().iter().filter(|name| sent(name)).count() as u64)
}

/// All ways in which patterns may match a name; for too many patterns, only that none is known to.
fn guesses<'s>(patterns: &BTreeSet<&'s str>) -> Vec<Guess<'s>> {
    let mut guesses = vec![Guess::new()];
    if patterns.len() > PATTERNS_MAX {
        return guesses;
    }
    for pattern in patterns {
        let with = |matches: bool| {
            move |guess: &Guess<'s>| {
                let mut guess = guess.clone();
                guess.insert(pattern, matches);
                guess
            }
        };
        guesses = guesses.iter().map(with(false)).chain(guesses.iter().map(with(true))).collect();
    }
    guesses
}
