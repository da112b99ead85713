//! Lists of one alternative against one: sizes, repetition, `contains`, and the items place by place.
//!
//! Leaves what a shape says of one item to `members`.

use super::alike;
use super::engine::{Engine, FINDINGS_MAX, Finding, Pair};
use super::evaluate::{Verdict, count};
use super::sample::Sample;
use super::schema::{Atom, Keywords, Term};
use super::shape::Shape;

impl<'s> Engine<'_, 's> {
    pub(super) fn lists(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings = self.counts(pair, writer, reader);
        let repeats = writer.items_max().is_none_or(|most| most > 1);
        if reader.is_unique() && !writer.is_unique() && repeats {
            let lengths = [writer.items_min().max(2), writer.items_min().max(writer.prefix() as u64 + 2)];
            let samples = lengths.into_iter().filter_map(|length| writer.list(None, length, 0));
            findings.push(pair.suspect(self.says.unique(), samples.filter(is_repeating)));
        }
        for part in reader.parts.iter().filter(|part| part.contains_key("contains")) {
            findings.extend(self.contains(pair, writer, reader, part));
        }
        findings.extend(self.items(pair, writer, reader));
        findings
    }

    fn counts(&self, pair: &Pair<'_, 's>, writer: &Shape<'s>, reader: &Shape<'s>) -> Vec<Finding<'s>> {
        let mut findings = Vec::new();
        let (ours, theirs) = (writer.items_min(), reader.least("minItems"));
        if ours < theirs {
            let says = self.says.limit("minItems", theirs, (ours > 0).then_some(ours));
            findings.push(pair.suspect(says, writer.list(None, ours, 0)));
        }
        let ours = writer.items_max();
        if let Some(theirs) = reader.items_max()
            && ours.is_none_or(|ours| ours > theirs)
        {
            let limited = reader.most("maxItems") == Some(theirs);
            let says = if limited {
                self.says.limit("maxItems", theirs, ours)
            } else {
                self.says.items_closed(theirs)
            };
            let length = theirs.saturating_add(1).max(writer.items_min());
            findings.push(pair.suspect(says, writer.list(None, length, 0)));
        }
        findings
    }

    /// The items place by place, as far as both sides have lists that long.
    fn items(&mut self, pair: &Pair<'_, 's>, writer: &Shape<'s>, reader: &Shape<'s>) -> Vec<Finding<'s>> {
        let prefix = writer.prefix().max(reader.prefix());
        let most = writer.items_max().into_iter().chain(reader.items_max()).min().unwrap_or(u64::MAX);
        let mut findings = Vec::new();
        for index in 0..=prefix {
            if index as u64 >= most || findings.len() > FINDINGS_MAX {
                // Later places are not reached, or there is enough to report.
                break;
            }
            let name = if index == prefix { "*".to_owned() } else { index.to_string() };
            let (ours, theirs) = (writer.item(index), reader.item(index));
            let found = self.terms(&ours, &theirs, &pair.place.child(&name));
            let length = writer.items_min().max(index as u64 + 1);
            let whole = |sample| writer.list(Some((index, sample)), length, 0);
            findings.extend(found.into_iter().map(|finding| pair.lift(finding, whole)));
        }
        findings
    }

    fn contains(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
        part: &'s Keywords,
    ) -> Vec<Finding<'s>> {
        let least = count(part, "minContains").unwrap_or(1);
        let unlimited = !part.contains_key("maxContains");
        let names = ["contains", "minContains", "maxContains"];
        let same = |ours: &Keywords| alike::keywords(&names, (writer.doc, ours), (reader.doc, part));
        let Some(schema) = part.get("contains").filter(|_| !(least == 0 && unlimited)) else {
            return Vec::new();
        };
        if writer.parts.iter().any(|ours| same(ours)) {
            return Vec::new();
        }
        let theirs = Term { doc: reader.doc, atoms: vec![Atom::Schema(schema)] };
        let place = pair.place.child("*");
        let all = unlimited
            && writer.items_min() >= least
            && (0..=writer.prefix()).all(|index| {
                let ours = writer.item(index);
                self.attempt(|engine| engine.terms(&ours, &theirs, &place)).is_empty()
            });
        if all {
            return Vec::new();
        }
        let mut samples = writer.candidates(Some(reader));
        samples.retain(|sample| reader.doc.evaluate_keyword(part, "contains", sample) == Verdict::Rejects);
        let finding = pair.suspect(self.says.unmet("contains"), samples);
        let unclear = finding.witness.is_none();
        vec![if unclear { pair.doubt(self.says.not_compared("contains")) } else { finding }]
    }
}

/// Whether a list certainly has an item twice.
fn is_repeating(sample: &Sample<'_>) -> bool {
    let items = sample.items().unwrap_or_default();
    items.iter().enumerate().any(|(index, (item, count))| {
        *count > 1 || items[..index].iter().any(|(other, _)| other.equals(item) == Some(true))
    })
}
