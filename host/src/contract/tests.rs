//! What is accepted, and what is refused and how that is said: the files of `tests/contracts`, with goldens beside
//! them, and what is warned of. `BLESS=1` writes the goldens anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::check::WARNINGS;
use super::{Contract, Surroundings};
use crate::topology;

pub(super) fn corpus(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts").join(kind)
}

pub(super) fn files(kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(corpus(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "json"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn parse(path: &Path) -> Result<Contract, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let read_file = |file: &str| std::fs::read_to_string(folder.join(file));
    let surroundings = Surroundings { read_file: &read_file, variable: &variable };
    Contract::parse(&name, &text, surroundings).map_err(|problems| problems.render(false))
}

/// What the corpus may rely on.
pub(super) fn variable(name: &str) -> Option<String> {
    (name == "WARREN_TEST_SET").then(|| "7".to_owned())
}

/// Compares with the golden file, or writes it.
fn golden(path: &Path, found: &str, differences: &mut Vec<String>) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected != found {
        differences.push(format!("{}\n--- expected\n{expected}\n--- found\n{found}", path.display()));
    }
}

#[test]
fn every_mistake_is_explained() {
    let mut differences = Vec::new();
    for path in files("invalid") {
        match parse(&path) {
            Ok(_) => differences.push(format!("{} was accepted", path.display())),
            Err(said) => golden(&path.with_extension("err"), &(said + "\n"), &mut differences),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn sound_contracts_give_their_topology() {
    let mut differences = Vec::new();
    for path in files("valid") {
        match parse(&path) {
            Ok(contract) => {
                let topology = format!("{:#?}\n", topology::derive(&contract));
                golden(&path.with_extension("topology"), &topology, &mut differences);
            }
            Err(said) => differences.push(format!("{} was refused:\n{said}", path.display())),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn what_may_be_meant_is_told_and_can_be_silenced() {
    let (mut differences, mut told) = (Vec::new(), BTreeSet::new());
    for path in files("warnings") {
        match parse(&path) {
            Ok(contract) => {
                let warnings = contract.warnings();
                told.extend(warnings.list().iter().map(|warning| warning.name));
                golden(&path.with_extension("warnings"), &format!("{warnings}\n"), &mut differences);
            }
            Err(said) => differences.push(format!("{} was refused:\n{said}", path.display())),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    for name in WARNINGS {
        assert!(told.contains(name), "no file of tests/contracts/warnings has the warning `{name}`");
    }
    let silenced = parse(&corpus("warnings").join("silenced.yaml")).unwrap();
    assert!(silenced.warnings().is_empty(), "{}", silenced.warnings());
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{ "contract": "c", "exchanges": { "a": { "typ": "topic" } } }"#;
    let surroundings = Surroundings { read_file: &|_| unreachable!(), variable: &|_| None };
    let refused = Contract::parse("c.json", text, surroundings).unwrap_err();
    assert_eq!(refused.list()[0].pointer, "/exchanges/a/typ");
}
