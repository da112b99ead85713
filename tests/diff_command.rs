//! `warren diff` and `warren schema`: what they print, and how they exit. No broker.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::host::Project;

const DIFFERS: i32 = 1;
const CONTRACT: i32 = 78;

const OLD: &str = "
contract: shop
version: 1.0.0
exchanges: { orders: { type: topic } }
messages: { order: { payload: { $ref: order.json } } }
events: { placed: { exchange: orders, routingKey: order.placed, message: order, externalConsumers: true } }
";
const ORDER: &str = r#"{ "type": "object", "properties": { "id": { "type": "string" } } }"#;

fn project() -> Project {
    let project = Project::new(&OLD);
    project.write("order.json", ORDER);
    project
}

#[test]
fn the_exit_code_says_whether_it_breaks() {
    let project = project();
    project.write("cosmetic.yaml", OLD.replace("version", "description: A shop.\nversion"));
    project.write("breaking.yaml", OLD.replace("order.placed", "placed").replace("1.0.0", "2.0.0"));
    project.write("unsound.yaml", "contract: shop\nexchange: {}\n");
    for (new, fail_on, code) in [
        ("contract.yaml", "any", 0),
        ("cosmetic.yaml", "compatible", 0),
        ("cosmetic.yaml", "any", DIFFERS),
        ("breaking.yaml", "breaking", DIFFERS),
        ("breaking.yaml", "review", DIFFERS),
        ("breaking.yaml", "never", 0),
        ("unsound.yaml", "never", CONTRACT),
        ("missing.yaml", "never", CONTRACT),
    ] {
        let done = project.run(&["diff", "contract.yaml", new, "--fail-on", fail_on]);
        assert_eq!(done.code, Some(code), "{new} --fail-on {fail_on}: {}{}", done.stdout, done.stderr);
    }
    let done = project.run(&["diff", "contract.yaml", "breaking.yaml", "--format", "json"]);
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, json["worst"].as_str()), (Some(DIFFERS), Some("breaking")));
    assert_eq!(json["changes"][0]["subject"]["name"], "placed");
}

/// As `warren diff --help` says to do it: a schema beside the contract is the one of the commit.
#[test]
fn a_contract_is_compared_with_the_last_commit() {
    let project = project();
    let git = |arguments: &[&str]| {
        let settings = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(settings).args(arguments).current_dir(project.path("")).stdout(Stdio::null());
        assert!(command.stderr(Stdio::null()).status().expect("git is there").success(), "git {arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "contract.yaml", "order.json"]);
    git(&["commit", "--quiet", "--message", "before"]);
    project.write("order.json", ORDER.replace("string", "integer"));
    git(&["worktree", "add", "--detach", "before", "HEAD"]);
    let done = project.run(&["diff", "before/contract.yaml", "contract.yaml"]);
    assert_eq!(done.code, Some(DIFFERS), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("payload/id: a new publisher may send `integer`"), "{}", done.stdout);
}

#[test]
fn the_schema_is_printed_or_written() {
    let project = project();
    let printed = project.run(&["schema"]);
    let written = project.run(&["schema", "-o", "schema.json"]);
    assert_eq!((printed.code, written.code, written.stdout.as_str()), (Some(0), Some(0), ""));
    assert_eq!(printed.stdout, std::fs::read_to_string(project.path("schema.json")).unwrap());
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["contract"]));
    let fragment = project.run(&["schema", "--fragment"]);
    let fragment: Value = serde_json::from_str(&fragment.stdout).unwrap();
    assert!(fragment["required"].is_null() && fragment["properties"]["contract"].is_null());
}

/// `warren diff ... | head -1` ends without a word.
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let project = project();
    for arguments in [vec!["schema"], vec!["diff", "contract.yaml", "contract.yaml"]] {
        let mut child = project
            .command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        drop(child.stdout.take());
        let done = child.wait_with_output().expect("an end");
        assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr)), (Some(0), "".into()));
    }
}
