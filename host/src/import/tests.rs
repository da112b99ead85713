//! What was exported comes back the same; what others wrote becomes a sound contract; what is hostile becomes an error.

use std::path::{Path, PathBuf};

use super::*;
use crate::asyncapi::{self, tests::corpus};
use crate::contract::{Contract, Owner, Surroundings};
use crate::topology;

fn options(file: &str) -> Options<'_> {
    Options { kind: None, vhost: None, file }
}

fn contract(yaml: &str) -> Contract {
    let surroundings =
        Surroundings { read_file: &|_| Err(std::io::Error::other("no files")), variable: &|_| None };
    Contract::parse("imported.yaml", yaml, surroundings)
        .unwrap_or_else(|problems| panic!("{problems}\n{yaml}"))
}

/// What would be declared, without where it comes from.
fn declared(contract: &Contract) -> String {
    let mut topology = topology::derive(contract);
    for binding in &mut topology.bindings {
        binding.from.clear();
    }
    topology.bindings.sort_by_cached_key(|binding| format!("{binding:?}"));
    topology.queues.sort_by(|a, b| a.name.cmp(&b.name));
    format!("{topology:#?}")
}

#[test]
fn an_exported_contract_comes_back_with_its_topology() {
    for (path, exported) in corpus() {
        let document = asyncapi::document(&exported, &[]);
        for (file, text) in [("d.yaml", document.to_yaml()), ("d.json", document.to_json())] {
            let imported =
                import(&text, options(file)).unwrap_or_else(|failed| panic!("{}: {failed}", path.display()));
            let back = contract(&imported.yaml);
            assert_eq!(
                declared(&back),
                declared(&exported),
                "{}\n{}\n{:#?}",
                path.display(),
                imported.yaml,
                imported.notes
            );
        }
    }
}

#[test]
fn an_exported_contract_comes_back_whole() {
    for (path, exported) in corpus() {
        let (mut contract_now, mut whole) = (exported, false);
        // What belongs to another domain is somebody's after the first import, and stays that.
        for _ in 0..2 {
            let is_domain = |owner: &Owner| matches!(owner, Owner::Domain(_));
            whole |= !contract_now.exchanges.values().any(|exchange| is_domain(&exchange.owner));
            let document = asyncapi::document(&contract_now, &[]).to_yaml();
            let back = contract(&import(&document, options("d.yaml")).unwrap().yaml);
            if whole {
                same_text(&document, &asyncapi::document(&back, &[]).to_yaml(), &path);
            }
            (contract_now, whole) = (back, true);
        }
    }
}

fn same_text(before: &str, after: &str, path: &Path) {
    let first = before.lines().zip(after.lines()).enumerate().find(|(_, (before, after))| before != after);
    assert!(before == after, "{} does not come back whole, from line {first:?} on", path.display());
}

fn corpus_of(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/import").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.to_string_lossy().contains(".out."));
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn what_others_wrote_becomes_a_sound_contract() {
    let mut differences = Vec::new();
    for path in corpus_of("good") {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let imported = import(&text, options(&file)).unwrap_or_else(|failed| panic!("{file}: {failed}"));
        contract(&imported.yaml);
        let golden = path.with_extension("out.yaml");
        let notes: Vec<String> = imported.notes.iter().map(|note| format!("# note: {note}\n")).collect();
        let found = format!("{}{}", notes.concat(), imported.yaml);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&golden, found).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            differences.push(golden.display().to_string());
        }
    }
    assert!(differences.is_empty(), "not as before (BLESS=1 takes what is found): {differences:?}");
}

fn refused(file: &str, text: &str, vhost: Option<&str>) -> (String, String) {
    let failed = import(text, Options { kind: None, vhost, file }).unwrap_err();
    (failed.says, failed.hint.unwrap_or_default())
}

#[test]
fn what_cannot_be_imported_is_told() {
    let two = r#"{ "queues": [{ "name": "a", "vhost": "/" }, { "name": "a", "vhost": "other" }] }"#;
    let (says, hint) = refused("d.json", two, None);
    assert_eq!(
        (says.as_str(), hint.contains("`/`, `other`")),
        ("these definitions hold several vhosts, and a contract is about one", true)
    );
    assert!(refused("d.json", two, Some("third")).1.contains("`other`"));
    assert!(refused("a.yaml", "asyncapi: 2.6.0\ninfo: {}", None).1.contains("@asyncapi/converter"));
    assert!(refused("a.yaml", "asyncapi: 4.0.0", None).0.contains("it reads 3"));
    assert!(refused("a.yaml", "contract: c", None).0.contains("contract already"));
    assert!(refused("a.yaml", "a: 1", None).0.contains("no AsyncAPI document"));
    assert!(refused("a.json", "{ \"queues\": [", None).0.contains("not JSON"));
    assert!(refused("a.yaml", "a: [1\nb: 2", None).0.starts_with("a.yaml:1:"));
    assert!(refused("a.yaml", "- x", None).0.contains("no AsyncAPI document"));
}

#[test]
fn one_vhost_of_several_is_taken() {
    let two = r#"{ "queues": [{ "name": "a", "vhost": "/" }, { "name": "b", "vhost": "other" }] }"#;
    let imported = import(two, Options { kind: None, vhost: Some("other"), file: "my.export.json" }).unwrap();
    let contract = contract(&imported.yaml);
    assert_eq!(contract.queues.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(contract.name, "my");
}

#[test]
fn hostile_texts_meet_a_limit() {
    let deep = format!("{{\"asyncapi\":\"3.0.0\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_yaml = format!("asyncapi: 3.0.0\nx: {}", "[".repeat(100_000));
    let bomb = "asyncapi: 3.0.0\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]";
    for text in [deep.as_str(), deep_yaml.as_str(), bomb] {
        import(text, options("a.yaml")).unwrap_err();
    }
    let circle = json!({
        "asyncapi": "3.0.0", "info": {},
        "channels": { "a": { "$ref": "#/channels/b" }, "b": { "$ref": "#/channels/a" }, "c": { "bindings": { "amqp": { "is": "queue", "queue": { "name": "q" } } }, "messages": { "m": { "payload": { "$ref": "#/components/schemas/x" }, "traits": [{ "traits": [] }, { "$ref": "#" }] } } } },
        "operations": { "o": { "action": "receive", "channel": { "$ref": "#/channels/c" }, "traits": [{ "$ref": "#/operations/o" }] } },
        "components": { "schemas": { "x": { "$ref": "#/components/schemas/y" }, "y": { "$ref": "#/components/schemas/x" } } },
    });
    contract(&import(&circle.to_string(), options("a.json")).unwrap().yaml);
}

/// Changes one thing in `value`, somewhere.
fn mutate(value: &mut Value, random: &mut fastrand::Rng) {
    const SCALARS: [&str; 18] = [
        "null",
        "true",
        "0",
        "-1",
        "1e300",
        "\"\"",
        "\"#\"",
        "\"*.a\"",
        "\"${X}\"",
        "\"amq.topic\"",
        "\"topic\"",
        "\"stream\"",
        "[]",
        "{}",
        "[1]",
        "{\"$ref\":\"#/channels\"}",
        "{\"$ref\":\"#\"}",
        "\"x\\u0000\\u2028/~é\"",
    ];
    match value {
        Value::Object(map) if !map.is_empty() && random.u8(..10) > 0 => {
            let key = map.keys().nth(random.usize(..map.len())).cloned().unwrap();
            match random.u8(..12) {
                0 => drop(map.remove(&key)),
                1 => {
                    let moved = map.remove(&key).unwrap();
                    map.insert(
                        ["$ref", "x/y", "amq.x", "", "<<", "payload", "x-warren"][random.usize(..7)]
                            .to_owned(),
                        moved,
                    );
                }
                2 => {
                    let copied = map[&key].clone();
                    map.insert(format!("{key}2"), copied);
                }
                _ => mutate(map.get_mut(&key).unwrap(), random),
            }
        }
        Value::Array(items) if !items.is_empty() && random.u8(..10) > 0 => {
            let index = random.usize(..items.len());
            mutate(&mut items[index], random);
        }
        other => *other = serde_json::from_str(SCALARS[random.usize(..SCALARS.len())]).unwrap(),
    }
}

#[test]
fn whatever_is_made_of_a_document_is_sound() {
    let mut seeds: Vec<Value> = corpus()
        .iter()
        .map(|(_, contract)| serde_json::from_str(&asyncapi::document(contract, &[]).to_json()).unwrap())
        .collect();
    for path in corpus_of("good") {
        seeds.push(read(&path.to_string_lossy(), &std::fs::read_to_string(&path).unwrap()).unwrap());
    }
    let rounds =
        std::env::var("WARREN_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(150);
    for seed in 0..rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut document = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..40) {
            mutate(&mut document, &mut random);
        }
        match import(&document.to_string(), options("m.json")) {
            Ok(imported) => drop(contract(&imported.yaml)),
            Err(failed) => {
                assert!(!failed.says.contains("no sound contract"), "seed {seed}: {failed}\n{document:#}")
            }
        }
    }
}
