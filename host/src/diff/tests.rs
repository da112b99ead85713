//! Two contracts and what is said about their difference: the folders of `tests/diffs`, with a golden in each.
//! `BLESS=1` writes the goldens anew.

use std::path::{Path, PathBuf};

use super::{Class, compare};
use crate::contract::{Contract, Surroundings};

fn cases() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/diffs");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn parse(folder: &Path, name: &str) -> Contract {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let read_file = |file: &str| std::fs::read_to_string(folder.join(file));
    let surroundings = Surroundings { read_file: &read_file, variable: &|_| None };
    Contract::parse(&path.display().to_string(), &text, surroundings)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

#[test]
fn every_change_is_told_with_whom_it_breaks() {
    let mut differences = Vec::new();
    for folder in cases() {
        let diff = compare(&parse(&folder, "old.yaml"), &parse(&folder, "new.yaml"));
        let (found, path) = (diff.render(false), folder.join("expected.txt"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, found).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected != found {
            differences.push(format!("{}\n--- expected\n{expected}\n--- found\n{found}", path.display()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn a_contract_is_no_different_from_itself() {
    for folder in cases() {
        for name in ["old.yaml", "new.yaml"] {
            let diff = compare(&parse(&folder, name), &parse(&folder, name));
            assert!(diff.changes.is_empty(), "{}: {}", folder.display(), diff.render(false));
            assert_eq!(diff.version_warning, None);
        }
    }
}

#[test]
fn every_format_tells_every_change() {
    for folder in cases() {
        let diff = compare(&parse(&folder, "old.yaml"), &parse(&folder, "new.yaml"));
        let (json, markdown) = (diff.to_json(), diff.to_markdown());
        assert_eq!(json["changes"].as_array().unwrap().len(), diff.changes.len());
        assert_eq!(json["worst"].as_str(), diff.worst().map(Class::word));
        assert!(diff.changes.iter().all(|change| markdown.contains(&change.says)), "{markdown}");
    }
}
