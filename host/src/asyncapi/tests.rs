//! Every sound contract of the corpus as an AsyncAPI document, with goldens beside it. `BLESS=1` writes them anew.

use std::path::{Path, PathBuf};

use super::*;
use crate::contract::Surroundings;

pub(crate) fn corpus() -> Vec<(PathBuf, Contract)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts/valid");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let read_file = |file: &str| std::fs::read_to_string(folder.join(file));
        let variable = |name: &str| (name == "WARREN_TEST_SET").then(|| "7".to_owned());
        let surroundings = Surroundings { read_file: &read_file, variable: &variable };
        let name = path.file_name().unwrap().to_string_lossy();
        let contract = Contract::parse(&name, &text, surroundings);
        (path, contract.unwrap_or_else(|problems| panic!("{problems}")))
    };
    files.into_iter().map(read).collect()
}

/// The folder of the goldens.
fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts/asyncapi")
}

#[test]
fn contracts_are_exported_as_before() {
    let server = Server::parse("amqp://guest:guest@mq.example.com:5672/shop").unwrap();
    let mut differences = Vec::new();
    for (path, contract) in corpus() {
        let found = document(&contract, std::slice::from_ref(&server)).to_yaml();
        let golden = goldens().join(path.file_name().unwrap());
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(goldens()).unwrap();
            std::fs::write(&golden, found).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            differences.push(golden.display().to_string());
        }
    }
    assert!(differences.is_empty(), "not as before (BLESS=1 takes what is found): {differences:?}");
}

#[test]
fn yaml_and_json_say_the_same() {
    for (path, contract) in corpus() {
        let document = document(&contract, &[]);
        let yaml = crate::contract::document_values("document.yaml", &document.to_yaml()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&document.to_json()).unwrap();
        assert_eq!(yaml, json, "{}", path.display());
    }
}
