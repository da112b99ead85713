//! The walk through both schemas: terms against terms, shapes against shapes, and findings on the way back.
//!
//! Leaves alternatives to `union`, and the keywords to `scalars`, `objects`, `lists` and `rest`.

use std::collections::BTreeSet;

use super::evaluate::Verdict;
use super::sample::Sample;
use super::schema::{Doc, Fuel, Term, TermKey};
use super::shape::Shape;
use super::types::Types;
use super::words::{self, Says};
use super::{Roles, alike};

/// How deep members and items are compared.
const DEPTH_MAX: u32 = 64;
/// After this many findings in one place, no more are looked for there.
pub(super) const FINDINGS_MAX: usize = 64;
/// The steps to hold one sample against both schemas.
const CERTIFY_STEPS_MAX: u32 = 20_000;

/// Something the reader may not accept: certain with a witness, which the writer's schema accepts and the reader's
/// rejects; undecided without.
#[derive(Clone, Debug)]
pub(super) struct Finding<'s> {
    pub(super) path: String,
    pub(super) says: String,
    /// Whether it is a suspicion that a witness would make certain, or a keyword that is not compared at all.
    pub(super) suspicion: bool,
    pub(super) witness: Option<Sample<'s>>,
}

impl Finding<'_> {
    /// What it says without a witness.
    pub(super) fn doubt(&self) -> String {
        let Self { says, .. } = self;
        if self.suspicion { format!("{says}, but no value was found that shows it") } else { says.clone() }
    }
}

/// A place in the value.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: String,
    depth: u32,
}

impl Place {
    /// The place of a member or an item; `*` for any.
    pub(super) fn child(&self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self { path: format!("{}/{name}", self.path), depth: self.depth + 1 }
    }
}

/// The terms that hold in one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'p, 's> {
    pub(super) writer: &'p Term<'s>,
    pub(super) reader: &'p Term<'s>,
    pub(super) place: &'p Place,
}

impl<'s> Pair<'_, 's> {
    /// A finding that becomes certain if one of the samples is valid for the writer and not for the reader.
    pub(super) fn suspect(&self, says: String, samples: impl IntoIterator<Item = Sample<'s>>) -> Finding<'s> {
        let witness = samples.into_iter().find(|sample| self.certifies(sample));
        Finding { path: self.place.path.clone(), says, suspicion: true, witness }
    }

    /// A finding about something that cannot be decided.
    pub(super) fn doubt(&self, says: String) -> Finding<'s> {
        Finding { path: self.place.path.clone(), says, suspicion: false, witness: None }
    }

    /// That there is no fuel left, which is said once for the whole.
    pub(super) fn too_large(&self) -> Finding<'s> {
        Finding { path: String::new(), ..self.doubt(words::TOO_LARGE.to_owned()) }
    }

    /// Whether the writer's schema accepts the sample and the reader's rejects it.
    pub(super) fn certifies(&self, sample: &Sample<'s>) -> bool {
        let fuel = self.writer.doc.fuel;
        fuel.at_most(CERTIFY_STEPS_MAX, || {
            self.writer.evaluate(sample) == Verdict::Accepts
                && self.reader.evaluate(sample) == Verdict::Rejects
        })
    }

    /// Makes the finding of a member or item one of this place: its witness must still be one within a whole value.
    pub(super) fn lift(
        &self,
        mut finding: Finding<'s>,
        whole: impl FnOnce(Sample<'s>) -> Option<Sample<'s>>,
    ) -> Finding<'s> {
        let part = finding.witness.take();
        finding.witness = part.and_then(whole).filter(|sample| self.certifies(sample));
        finding
    }
}

pub(super) struct Engine<'r, 's> {
    pub(super) says: Says<'r>,
    pub(super) fuel: &'s Fuel,
    /// Pairs that are being compared, or were without findings. Meeting one again adds nothing: whatever keeps it from
    /// holding is found where it is compared.
    assumed: BTreeSet<(TermKey, TermKey)>,
    /// The order in which pairs were assumed, to take back those of an attempt.
    log: Vec<(TermKey, TermKey)>,
}

impl<'r, 's> Engine<'r, 's> {
    pub(super) fn new(roles: Roles<'r>, fuel: &'s Fuel) -> Self {
        Self { says: Says { roles }, fuel, assumed: BTreeSet::new(), log: Vec::new() }
    }

    pub(super) fn roots(&mut self, writer: &'s Doc<'s>, reader: &'s Doc<'s>) -> Vec<Finding<'s>> {
        let place = Place { path: String::new(), depth: 0 };
        self.terms(&Term::root(writer), &Term::root(reader), &place)
    }

    /// Compares what the writer and the reader ask of a value in one place.
    pub(super) fn terms(&mut self, writer: &Term<'s>, reader: &Term<'s>, place: &Place) -> Vec<Finding<'s>> {
        if reader.is_anything() {
            return Vec::new();
        }
        let pair = Pair { writer, reader, place };
        if !self.fuel.spend(5) {
            return vec![pair.too_large()];
        }
        if place.depth > DEPTH_MAX {
            return vec![pair.doubt(words::TOO_DEEP.to_owned())];
        }
        let key = (writer.key(), reader.key());
        if self.assumed.contains(&key) || alike::implied(writer, reader) {
            return Vec::new();
        }
        self.assumed.insert(key.clone());
        self.log.push(key.clone());
        let findings = self.alternatives(&pair);
        if !findings.is_empty() {
            self.assumed.remove(&key);
        }
        findings
    }

    fn alternatives(&mut self, pair: &Pair<'_, 's>) -> Vec<Finding<'s>> {
        let readers = pair.reader.shapes();
        let mut findings = Vec::new();
        for writer in pair.writer.shapes() {
            if self.fuel.is_empty() {
                findings.push(pair.too_large());
                break;
            }
            if writer.is_hollow() {
                continue;
            }
            if readers.is_empty() {
                findings.push(pair.suspect(self.says.nothing(), pair.writer.sample()));
                break;
            }
            findings.extend(self.against_all(pair, &writer, &readers));
            if findings.len() > FINDINGS_MAX {
                break;
            }
        }
        findings
    }

    /// Tries a comparison of which only success counts: what it assumed is taken back otherwise.
    pub(super) fn attempt(&mut self, work: impl FnOnce(&mut Self) -> Vec<Finding<'s>>) -> Vec<Finding<'s>> {
        let mark = self.log.len();
        let findings = work(self);
        if !findings.is_empty() {
            for key in self.log.drain(mark..) {
                self.assumed.remove(&key);
            }
        }
        findings
    }

    /// Compares one alternative of the writer with the one alternative of the reader that is left for it.
    pub(super) fn shapes(
        &mut self,
        pair: &Pair<'_, 's>,
        writer: &Shape<'s>,
        reader: &Shape<'s>,
    ) -> Vec<Finding<'s>> {
        let mut findings = self.kinds(pair, writer, reader);
        let writer = &writer.only(reader.types);
        if writer.types.is_empty() {
            return findings;
        }
        if reader.values.is_some() {
            findings.extend(self.values(pair, writer, reader));
            return findings;
        }
        for piece in writer.types.pieces() {
            let writer = &writer.only(piece);
            findings.extend(match piece {
                Types::NULL | Types::BOOLEAN => Vec::new(),
                Types::TEXT => self.texts(pair, writer, reader),
                Types::LIST => self.lists(pair, writer, reader),
                Types::OBJECT => self.objects(pair, writer, reader),
                _ => self.numbers(pair, writer, reader),
            });
        }
        findings.extend(self.nots(pair, writer, reader));
        findings.extend(self.opaques(pair, writer, reader));
        findings
    }
}
