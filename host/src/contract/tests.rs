//! What is accepted, and what is refused and how that is said: the files of `tests/contracts`, with goldens beside
//! them, and what is warned of. `BLESS=1` writes the goldens anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::check::WARNINGS;
use super::{Contract, Surroundings};
use crate::topology;
use crate::topology::overview::Overview;

pub(crate) fn corpus(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts").join(kind)
}

/// By its name; goldens beside it have two extensions, as `ways.topology.json`.
pub(super) fn is_contract(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "json")
        && !stem.contains('.')
}

pub(super) fn files(kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(corpus(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| is_contract(path));
    files.sort();
    assert!(!files.is_empty());
    files
}

pub(crate) fn parse(path: &Path) -> Result<Contract, String> {
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
pub(crate) fn golden(path: &Path, found: &str, differences: &mut Vec<String>) {
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
                golden(&path.with_extension("topology"), &topology_text(&contract), &mut differences);
            }
            Err(said) => differences.push(format!("{} was refused:\n{said}", path.display())),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// The table that people see, and all arguments.
fn topology_text(contract: &Contract) -> String {
    let topology = topology::derive(contract);
    let mut text = Overview::new(contract, &topology).table();
    let mut arguments = |what: &str, name: &str, arguments: &Map<String, Value>| {
        if !arguments.is_empty() {
            text += &format!("\n{what} {name} {}", Value::Object(arguments.clone()));
        }
    };
    topology.exchanges.iter().for_each(|exchange| arguments("exchange", &exchange.name, &exchange.arguments));
    topology.queues.iter().for_each(|queue| arguments("queue", &queue.name, &queue.arguments));
    topology.bindings.iter().for_each(|binding| arguments("binding", &binding.from, &binding.arguments));
    text + "\n"
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

/// Every key has a text that an editor can show.
#[test]
fn a_host_call_may_hold_twice_the_largest_payload_that_is_published() {
    let host_call_mib = |max_body_mib: u64, limits: &str, publishes: &str| {
        let text = format!(
            "contract: sizes
exchanges: {{ in: {{ type: direct }}, dlx: {{ type: direct }} }}
queues: {{ work: {{ deadLetter: {{ exchange: dlx, routingKey: dead }} }}, dead: {{}} }}
bindings: {{ dead: {{ exchange: dlx, queue: dead, routingKey: dead }} }}
messages: {{ task: {{ payload: {{ type: object }}, maxBodyBytes: {} }} }}
commands: {{ do: {{ exchange: in, routingKey: do, message: task }} }}
events: {{ done: {{ exchange: in, routingKey: done, message: task, externalConsumers: true }} }}
consumers: {{ work: {{ command: do, queue: work, handler: {{ component: work.wasm{limits} }}{publishes} }} }}
",
            max_body_mib << 20
        );
        let read_file = |_: &str| unreachable!("no file is named");
        let surroundings = Surroundings { read_file: &read_file, variable: &variable };
        let contract = Contract::parse("sizes.yaml", &text, surroundings);
        let contract = contract.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        contract.consumers["work"].handler.limits.host_call_bytes >> 20
    };
    let publishes = ", publishes: [done]";
    assert_eq!(host_call_mib(1, "", publishes), 32);
    assert_eq!(host_call_mib(64, "", ""), 32);
    assert_eq!(host_call_mib(64, "", publishes), 128);
    assert_eq!(host_call_mib(64, ", limits: { hostCallMiB: 80 }", publishes), 80);
}

#[test]
fn the_schema_explains_every_key() {
    fn walk(value: &serde_json::Value, at: &str, silent: &mut Vec<String>) {
        let serde_json::Value::Object(object) = value else { return };
        for (key, value) in object {
            let at = format!("{at}/{key}");
            if key == "properties" {
                let properties = value.as_object().unwrap();
                let unexplained = properties.iter().filter(|(_, property)| property["description"].is_null());
                silent.extend(unexplained.map(|(name, _)| format!("{at}/{name}")));
            }
            walk(value, &at, silent);
        }
    }
    let schema = super::editor_schema(false);
    let mut silent = Vec::new();
    walk(&schema, "", &mut silent);
    assert!(silent.is_empty(), "{silent:?}");
    assert_eq!(
        (&schema["$id"], &schema["title"]),
        (&"urn:warren:contract".into(), &"Warren contract".into())
    );
}

#[test]
fn every_file_may_name_its_schema() {
    let text =
        r#"{ "$schema": "./a.json", "contract": "c", "include": ["d.json"], "exchanges": { "a": {} } }"#;
    let included = r#"{ "$schema": "./b.json", "exchanges": { "b": {} } }"#;
    let surroundings = Surroundings { read_file: &|_| Ok(included.to_owned()), variable: &|_| None };
    let contract = Contract::parse("c.json", text, surroundings).unwrap();
    assert_eq!(contract.exchanges.len(), 2);
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{ "contract": "c", "exchanges": { "a": { "typ": "topic" } } }"#;
    let surroundings = Surroundings { read_file: &|_| unreachable!(), variable: &|_| None };
    let refused = Contract::parse("c.json", text, surroundings).unwrap_err();
    assert_eq!(refused.list()[0].pointer, "/exchanges/a/typ");
}

/// Every key of the language and every warning has its place in the reference.
#[test]
fn the_reference_leaves_nothing_out() {
    let reference = std::fs::read_to_string(corpus("../../CONTRACT.md")).unwrap();
    let mut missing = Vec::new();
    let mut open = vec![super::shape::schema()];
    while let Some(schema) = open.pop() {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let said = [format!("{key}:"), format!("`{key}`"), format!("{key},"), format!("{key} ")];
            if key != "$schema" && !said.iter().any(|word| reference.contains(word)) {
                missing.push(key.clone());
            }
            open.push(property);
        }
        open.extend(schema["$defs"].as_object().into_iter().flatten().map(|(_, definition)| definition));
    }
    assert!(missing.is_empty(), "CONTRACT.md does not say what these are: {missing:?}");
}
