//! `warren asyncapi` and `warren import`: exported documents are what AsyncAPI's own schema and parser take, and what is
//! imported from a document or a broker is a sound contract.
//!
//! Schema and parser are in target/asyncapi, where `make documents` (tests/asyncapi/prepare) puts them; without them that
//! test says so and skips, unless WARREN_TEST_DOCUMENTS is `required`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::SUCCEEDS;
use crate::support::host::Project;

const USAGE: i32 = 64;
const REFUSED: i32 = 65;
const CONTRACT: i32 = 78;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sound contracts of the corpus, and that of the example.
fn contracts() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("tests/contracts/valid")).expect("a corpus");
    let mut contracts: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    contracts.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    contracts.push(root().join("examples/orders/contract.yaml"));
    contracts.sort();
    contracts.into_iter().map(|path| path.canonicalize().expect("a path")).collect()
}

/// The folder with the packages of npm; none if there is none.
fn packages() -> Option<PathBuf> {
    let folder = root().join("target/asyncapi");
    if folder.join("ready.json").is_file() {
        return Some(folder.canonicalize().expect("a path"));
    }
    let required = std::env::var("WARREN_TEST_DOCUMENTS").is_ok_and(|value| value == "required");
    assert!(
        !required,
        "WARREN_TEST_DOCUMENTS=required, and target/asyncapi is not there: run `make documents`"
    );
    eprintln!(
        "skipped: the official AsyncAPI parser is not in target/asyncapi; `make documents` puts it there (needs npm)"
    );
    None
}

fn exported(project: &Project, contract: &Path, arguments: &[&str]) -> String {
    let contract = contract.to_string_lossy();
    let mut command = project.command(&["asyncapi", &contract]);
    command.args(arguments).env("WARREN_TEST_SET", "7");
    let exported = project.spawn(command).finish();
    assert_eq!((exported.code, exported.stderr.as_str()), (Some(0), ""), "{contract}");
    exported.stdout
}

/// What the official parser says of some files, in their order.
fn parsed(packages: &Path, files: &[PathBuf]) -> Vec<Value> {
    let script = root().join("tests/asyncapi/read.mjs").canonicalize().expect("a script");
    let output =
        Command::new("node").arg(script).args(files).current_dir(packages).output().expect("node runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn schema(packages: &Path) -> jsonschema::Validator {
    let path = packages.join("node_modules/@asyncapi/specs/schemas/3.1.0.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("a schema")).expect("JSON");
    jsonschema::draft7::new(&schema).expect("a schema")
}

#[test]
fn exported_documents_are_what_the_official_schema_and_parser_take() {
    let Some(packages) = packages() else { return };
    let schema = schema(&packages);
    let project = Project::new(&"");
    let server = ["--server", "amqp://u5er:s3cret@mq.example.com/shop", "--server", "test=amqps://mq:5671"];
    let contracts = contracts();
    let mut files = Vec::new();
    let mut documents: Vec<Value> = Vec::new();
    for (index, contract) in contracts.iter().enumerate() {
        let json: Value =
            serde_json::from_str(&exported(&project, contract, &["--format", "json"])).expect("JSON");
        let faults: Vec<String> = schema
            .iter_errors(&json)
            .map(|error| format!("{} {error:.300}", error.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{}: {faults:#?}", contract.display());
        let yaml = exported(&project, contract, &server);
        assert!(!yaml.contains("s3cret") && !yaml.contains("u5er"), "{yaml}");
        let file = format!("{index}.yaml");
        project.write(&file, yaml);
        files.push(project.path(&file));
        documents.push(json);
    }
    // One that is wrong, so that it is known that the two would tell.
    let mut wrong = documents[0].clone();
    wrong["operations"]["wrong"] = json!({ "action": "push", "channel": { "$ref": "#/channels/none" } });
    assert!(!schema.is_valid(&wrong));
    project.write("wrong.yaml", wrong.to_string());
    files.push(project.path("wrong.yaml"));
    let mut found = parsed(&packages, &files);
    let refused = found.pop().expect("what was said of the wrong one");
    assert!(
        refused["diagnostics"].as_array().is_some_and(|said| said.iter().any(|one| one["severity"] == 0)),
        "{refused}"
    );
    for ((document, found), contract) in documents.iter().zip(&found).zip(&contracts) {
        let contract = contract.display();
        assert_eq!(found["diagnostics"], json!([]), "{contract}");
        let count =
            |pointer: &str| document.pointer(pointer).and_then(Value::as_object).map_or(0, |map| map.len());
        let operations = |key: &str, value: &str| {
            let operations = document["operations"].as_object().into_iter().flatten();
            operations
                .filter(|(_, operation)| {
                    operation[key] == value || (value.is_empty() && operation.get(key).is_some())
                })
                .count()
        };
        let expected = json!([
            count("/channels"),
            operations("action", "send"),
            operations("action", "receive"),
            operations("reply", ""),
            count("/components/messages")
        ]);
        let messages = found["messages"].as_array().map_or(0, Vec::len);
        assert_eq!(
            json!([found["channels"], found["sends"], found["receives"], found["replies"], messages]),
            expected,
            "{contract}"
        );
    }
}

#[test]
fn what_was_exported_is_imported_again() {
    for contract in contracts() {
        let project = Project::new(&"");
        project.write("document.yaml", exported(&project, &contract, &[]));
        let imported = project.run(&["import", "document.yaml", "-o", "again.yaml"]);
        assert_eq!((imported.code, imported.stdout.as_str()), (Some(0), ""), "{}", imported.stderr);
        let checked = project.run(&["check", "--no-components", "again.yaml"]);
        assert_eq!(checked.code, Some(0), "{}: {}", contract.display(), checked.stderr);
    }
}

#[test]
fn the_definitions_of_a_broker_become_a_contract_of_it() {
    let vhost = Vhost::fresh("import");
    let worker = Worker::new(SUCCEEDS);
    let project = Project::new(&worker);
    project.start(&vhost).finish();
    vhost.client.delete_queue("echoes");
    vhost.declare("echoes", &json!({}));
    project.write("definitions.json", vhost.definitions().to_string());
    let imported = project.run(&["import", "definitions.json"]);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    project.write("imported.yaml", &imported.stdout);
    let checked = project.run(&["check", "--no-components", "imported.yaml"]);
    assert_eq!(checked.code, Some(0), "{}\n{}", checked.stderr, imported.stdout);
    // All that Warren has declared, it would declare again; so it knows the wait queue for what it is.
    assert!(
        !imported.stdout.contains("owned: false") && !imported.stdout.contains("work-wait"),
        "{}",
        imported.stdout
    );
    for expected in [
        "  work:\n",
        "mode: ttl-backoff",
        "initialDelayMs: 50",
        "  echoes:\n    type: classic",
        "routingKey: task",
        "  dead: {}\n",
    ] {
        assert!(imported.stdout.contains(expected), "no `{expected}` in\n{}", imported.stdout);
    }
    assert!(imported.stderr.contains("note: definitions hold no messages"), "{}", imported.stderr);
}

#[test]
fn nothing_is_overwritten_and_nothing_secret_printed() {
    let project = Project::new(&Worker::new(SUCCEEDS));
    let wrong = project.run(&["asyncapi", "contract.yaml", "--server", "http://guest:s3cret@mq"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(USAGE), ""));
    assert!(!wrong.stderr.contains("s3cret") && wrong.stderr.contains("hint:"), "{}", wrong.stderr);
    project.write("document.yaml", project.run(&["asyncapi", "contract.yaml"]).stdout);
    let before = std::fs::read(project.path("contract.yaml")).expect("a contract");
    let kept = project.run(&["import", "document.yaml", "--output", "contract.yaml"]);
    assert_eq!(kept.code, Some(USAGE), "{}", kept.stderr);
    assert!(kept.stderr.contains("`--force`"), "{}", kept.stderr);
    assert_eq!(std::fs::read(project.path("contract.yaml")).expect("a contract"), before);
    let forced = project.run(&["import", "document.yaml", "--output", "contract.yaml", "--force"]);
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert_eq!(project.run(&["check", "contract.yaml"]).code, Some(0));
}

#[test]
fn what_cannot_be_read_is_told_with_a_code() {
    let project = Project::new(&"contract: c\nexchange: {}");
    let unsound = project.run(&["asyncapi", "contract.yaml"]);
    assert_eq!((unsound.code, unsound.stdout.as_str()), (Some(CONTRACT), ""), "{}", unsound.stderr);
    project.write("old.yaml", "asyncapi: 2.6.0");
    project.write("two.json", r#"{"queues":[{"name":"a","vhost":"/"},{"name":"a","vhost":"b"}]}"#);
    for (file, says) in [
        ("old.yaml", "@asyncapi/cli convert"),
        ("two.json", "`--vhost`: `/`, `b`"),
        ("none.yaml", "cannot be read"),
        ("contract.yaml", "already"),
    ] {
        let refused = project.run(&["import", file]);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(REFUSED), ""),
            "{file}: {}",
            refused.stderr
        );
        assert!(refused.stderr.contains(says), "{file}: {}", refused.stderr);
    }
    assert_eq!(project.run(&["import", "two.json", "--vhost", "b"]).code, Some(0));
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let project = Project::new(&Worker::new(SUCCEEDS));
    let mut command = project.command(&["asyncapi", "contract.yaml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
