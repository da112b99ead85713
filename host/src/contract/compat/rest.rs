//! What a reader asks beyond its plain keywords: `not`, the other alternatives of `oneOf`, and what is not taken apart.
//!
//! These hold if the writer says the same, or if they cannot apply; a sample may show that they fail.

use super::alike;
use super::engine::{Engine, Finding, Pair};
use super::evaluate::Verdict;
use super::schema::{Atom, Doc, Keywords, Term};
use super::shape::Shape;

impl<'s> Engine<'_, 's> {
    pub(super) fn nots(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings: Vec<Finding<'s>> = Vec::new();
        for not in &reader.nots {
            if self.fuel.is_empty() {
                return vec![pair.too_large()];
            }
            let same = |ours: &super::shape::Not<'s>| {
                alike::schemas(writer.doc, ours.schema, reader.doc, not.schema)
            };
            let term = Term { doc: reader.doc, atoms: vec![Atom::Schema(not.schema)] };
            if writer.is_apart_from(&term) || writer.nots.iter().any(same) {
                continue;
            }
            let mut samples = writer.candidates(Some(reader));
            samples.retain(|sample| term.evaluate(sample) == Verdict::Accepts);
            let finding = pair.suspect(self.says.unmet(not.keyword), samples);
            let unclear = finding.witness.is_none();
            findings.push(if unclear { pair.doubt(self.says.not_compared(not.keyword)) } else { finding });
        }
        findings.dedup_by(|a, b| a.says == b.says);
        findings
    }

    pub(super) fn opaques(
        &self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings = Vec::new();
        for opaque in &reader.opaque {
            let theirs = (reader.doc, opaque.keywords);
            let same = |ours: (&Doc<'s>, &Keywords)| match opaque.keyword {
                "if" => alike::keywords(&["if", "then", "else"], ours, theirs),
                // What these mean depends on all that stands beside them.
                "unevaluatedProperties" | "unevaluatedItems" | "$ref" => alike::whole(ours, theirs),
                keyword => alike::keywords(&[keyword], ours, theirs),
            };
            let same = writer.parts.iter().any(|ours| same((writer.doc, ours)));
            if same {
                continue;
            }
            let mut samples = writer.candidates(Some(reader));
            samples.retain(|sample| {
                reader.doc.evaluate_keyword(opaque.keywords, opaque.keyword, sample) == Verdict::Rejects
            });
            let finding = pair.suspect(self.says.unmet(opaque.keyword), samples);
            let unclear = finding.witness.is_none();
            findings.push(if unclear { pair.doubt(self.says.not_compared(opaque.keyword)) } else { finding });
        }
        findings
    }
}
