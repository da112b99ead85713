//! Contracts of other domains that this one refers to, and those that they refer to.
//!
//! Only their shape is checked here: what is wrong with another contract is told where that one is checked. Of each is
//! used what the broker shares: exchanges, queues and bindings, and as `domain/name` events, commands and messages.

use std::collections::BTreeMap;

use super::Surroundings;
use super::files::{Files, path_fault, resolve, why_not_read};
use super::problem::{Problem, Severity, brief, enough};
use super::source::join;
use super::{raw, shape};

/// How many contracts may be connected.
const CONTRACTS_MAX: usize = 64;

/// The contracts of other domains.
#[derive(Debug, Default)]
pub(super) struct Domains {
    pub(super) contracts: Vec<Domain>,
    /// The names that the first contract has for them.
    pub(super) aliases: BTreeMap<String, usize>,
    /// The text of the first contract. A file is told by its text: it has more than one path where `..` leads out of a
    /// folder whose name is not known here.
    first_text: String,
}

/// The contract of another domain.
#[derive(Debug)]
pub(super) struct Domain {
    /// What it is called here, or for one that only others refer to, what it calls itself.
    pub(super) name: String,
    /// Path of its file, relative to the first contract's folder.
    pub(super) path: String,
    pub(super) raw: raw::Contract,
    pub(super) files: Files,
    /// The names that it has for others; none for the first contract.
    pub(super) aliases: BTreeMap<String, Option<usize>>,
}

/// Reads the contracts that `first` refers to, and so on.
pub(super) fn read(
    first: &raw::Contract,
    files: &Files,
    surroundings: Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> Domains {
    let mut domains = Domains { first_text: files.source(0).text.clone(), ..Domains::default() };
    for (alias, written) in &first.domains {
        if enough(problems) {
            break;
        }
        let at = join("/domains", alias);
        if let Some(problem) = alias_fault(&at, alias).or_else(|| path_fault(&at, written)) {
            problems.push(problem);
            continue;
        }
        let path = files.path_from(&at, written);
        match domains.load(alias, &path, surroundings) {
            Ok(None) => problems.push(
                Problem::at(at, "this is the contract itself")
                    .hint("what is in it is referred to without `domain/`: leave this out"),
            ),
            Ok(Some(index)) => {
                domains.contracts[index].name = alias.clone();
                domains.aliases.insert(alias.clone(), index);
            }
            Err(says) => {
                let problem =
                    Problem::at(at, format!("the contract `{}` cannot be used: {says}", brief(written)));
                let unsound = !says.starts_with("there is no");
                problems.push(if unsound {
                    problem.hint(format!("`warren check {}` says more", brief(&path)))
                } else {
                    problem
                });
            }
        }
    }
    domains.connect(surroundings);
    domains
}

fn alias_fault(at: &str, alias: &str) -> Option<Problem> {
    let plain = !alias.is_empty()
        && alias.chars().all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_');
    (!plain).then(|| {
        Problem::at(at, "the name of a domain is made of letters, digits, `-` and `_`")
            .on_key()
            .because("`domain/name` refers to what is in it")
    })
}

impl Domains {
    /// The index of the contract at `path`, which is read if it is not known yet; none for the first contract.
    fn load(
        &mut self,
        name: &str,
        path: &str,
        surroundings: Surroundings<'_>,
    ) -> Result<Option<usize>, String> {
        if let Some(known) = self.contracts.iter().position(|domain| domain.path == path) {
            return Ok(Some(known));
        }
        if self.contracts.len() >= CONTRACTS_MAX {
            return Err(format!("more than {CONTRACTS_MAX} contracts are connected"));
        }
        let text = (surroundings.read_file)(path).map_err(|error| why_not_read(&error))?;
        if text == self.first_text {
            return Ok(None);
        }
        if let Some(known) = self.contracts.iter().position(|domain| domain.files.source(0).text == text) {
            return Ok(Some(known));
        }
        let read_file = |file: &str| (surroundings.read_file)(&resolve(path, file));
        let near = Surroundings { read_file: &read_file, variable: surroundings.variable };
        let mut problems = Vec::new();
        let (mut files, root) = Files::read(path, &text, near, &mut problems);
        let raw = root.and_then(|root| shape::read(root, &mut files, &mut problems));
        match (raw, problems.iter().find(|problem| problem.severity == Severity::Error)) {
            (Some(raw), None) => {
                let (name, path) = (name.to_owned(), path.to_owned());
                self.contracts.push(Domain { name, path, raw, files, aliases: BTreeMap::new() });
                Ok(Some(self.contracts.len() - 1))
            }
            (_, Some(problem)) => Err(problem.says.clone()),
            (None, None) => Err("it holds no contract".to_owned()),
        }
    }

    /// Reads what the contracts refer to themselves. What is wrong there is their own affair.
    fn connect(&mut self, surroundings: Surroundings<'_>) {
        let mut next = 0;
        while next < self.contracts.len() {
            let domain = &self.contracts[next];
            let theirs: Vec<(String, String)> = domain
                .raw
                .domains
                .iter()
                .map(|(alias, written)| (alias.clone(), resolve(&domain.path, written)))
                .collect();
            for (alias, path) in theirs {
                if let Ok(index) = self.load(&alias, &path, surroundings) {
                    self.contracts[next].aliases.insert(alias, index);
                }
            }
            next += 1;
        }
    }
}
