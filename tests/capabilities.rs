//! What handlers are granted beside their messages, and what they are not: configuration, secrets, folders. Requests are
//! in `http`, stores in `key_value`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::{Guest, USES_CONFIG, USES_FILES, USES_HTTP, USES_KEY_VALUE};
use crate::support::host::{Finished, Project};
use crate::support::letter::Letter;

pub(crate) fn worker(guest: Guest, capabilities: &str) -> Worker {
    Worker::new(guest).consumer(&format!("capabilities: {{ {capabilities} }}"))
}

/// Hands a message to the worker and takes what it has published.
pub(crate) fn asked(vhost: &Vhost, task: &Value) -> Value {
    vhost.client.publish("in", "task", Letter::json("m-1", task));
    vhost.client.take_one("echoes").json()
}

/// `warren run` on a vhost of its own, which is expected to refuse.
pub(crate) fn refused(project: &Project, vhost: &Vhost, environment: &[(&str, &str)]) -> Finished {
    let mut command = project.command(&["run", "contract.yaml", "--amqp-url", &vhost.url()]);
    command.envs(environment.iter().copied());
    project.spawn(command).finish()
}

#[test]
fn configuration_and_secrets_are_read_by_name() {
    let vhost = Vhost::fresh("config");
    let project = Project::new(&worker(
        USES_CONFIG,
        "config: { currency: EUR }, secrets: [TOKEN, { name: KEY, file: secrets/key }]",
    ));
    fs::create_dir(project.path("secrets")).unwrap();
    project.write("secrets/key", "from a file\n");
    let host = project.start_in(&vhost, &[("TOKEN", "from the environment"), ("OTHER", "not granted")]);
    let told = asked(&vhost, &json!({ "get": ["currency", "TOKEN", "KEY", "OTHER", "PATH"] }));
    assert_eq!(told["values"], json!(["EUR", "from the environment", "from a file", null, null]));
    assert_eq!(told["keys"], 3);
    host.finish();
}

#[test]
fn a_secret_that_is_not_there_is_refused_with_both_ways_to_give_it() {
    let vhost = Vhost::fresh("no-secret");
    let project =
        Project::new(&worker(USES_CONFIG, "secrets: [TOKEN_A, { name: TOKEN_B, file: nowhere/b }, EMPTY]"));
    let ended = refused(&project, &vhost, &[("EMPTY", "")]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    for said in [
        "the secret `TOKEN_A` is not there: the host has no environment variable of this name",
        "consumers.worker.capabilities.secrets.0",
        "set the environment variable TOKEN_A of the host, or write `{ name: TOKEN_A, file: PATH }`",
        "the secret `TOKEN_B` cannot be read from `nowhere/b`",
        "the secret `EMPTY` is empty",
        "3 problems",
    ] {
        assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
    }
    // To look at the contract, they need not be there.
    assert_eq!(project.run(&["check", "contract.yaml"]).code, Some(0));
}

#[test]
fn secrets_are_in_no_log_and_no_dead_letter() {
    const SECRET: &str = "s3cr3t-of-the-handler";
    let vhost = Vhost::fresh("redact");
    let project = Project::new(&worker(USES_CONFIG, "secrets: [TOKEN]").retry("mode: none"));
    let host = project.start_in(&vhost, &[("TOKEN", SECRET)]);
    for (index, how) in ["log", "field", "stderr", "fail", "panic"].into_iter().enumerate() {
        let task = json!({ "say": "TOKEN", "how": how });
        vhost.client.publish("in", "task", Letter::json(&format!("m-{index}"), &task));
    }
    let dead = vhost.client.take("dead", 2);
    let errors: Vec<String> = dead.iter().map(|letter| letter.text("x-last-error")).collect();
    assert!(errors.iter().any(|error| error.contains("refused with ***")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("panicked with ***")), "{errors:?}");
    for letter in &dead {
        assert!(!format!("{letter:?}").contains(SECRET), "{letter:?}");
    }
    host.until_event("the value is *** indeed", 2);
    host.until_event("value=\"***\"", 1);
    let log = host.log();
    host.finish();
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn what_a_component_imports_has_to_be_granted() {
    let vhost = Vhost::fresh("ungranted");
    for (guest, capabilities, import, grant) in [
        (
            USES_CONFIG,
            "",
            "wasi:config/store@0.2.0-rc.1",
            "capabilities: { config: { KEY: value }, secrets: [NAME] }",
        ),
        (USES_HTTP, "", "wasi:http/outgoing-handler@0.2", "capabilities: { http: [\"https://HOST\"] }"),
        (
            USES_KEY_VALUE,
            "config: { a: b }",
            "wasi:keyvalue/store@0.2.0-draft",
            "capabilities: { keyValue: [NAME] }",
        ),
    ] {
        let worker = if capabilities.is_empty() { Worker::new(guest) } else { worker(guest, capabilities) };
        let ended = refused(&Project::new(&worker), &vhost, &[]);
        assert_eq!(ended.code, Some(78), "{}", ended.stderr);
        let place =
            if capabilities.is_empty() { "consumers.worker" } else { "consumers.worker.capabilities" };
        for said in [import, grant, place, "which the contract does not grant"] {
            assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
        }
    }
}

/// A project whose handler sees `data` at `/data` and, to write, `spool` at `/spool`; `outside` holds what it must not.
fn files_project() -> Project {
    let project = Project::new(&worker(
        USES_FILES,
        "files: [{ path: data, at: /data }, { path: spool, at: /spool, access: read-write }]",
    ));
    for folder in ["data", "data/inner", "spool", "outside"] {
        fs::create_dir(project.path(folder)).expect("a new folder");
    }
    project.write("data/a.txt", "the content");
    project.write("data/inner/b.txt", "within");
    project.write("outside/secret.txt", "not for you");
    let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, project.path(at)).expect("a new link");
    link(Path::new("../outside/secret.txt"), "data/up");
    link(&project.path("outside/secret.txt"), "data/absolute");
    link(Path::new("../outside"), "spool/folder");
    link(Path::new("a.txt"), "data/fine");
    project
}

fn stepped(vhost: &Vhost, steps: &[&[&str]]) -> Vec<String> {
    let told = asked(vhost, &json!({ "steps": steps }));
    let texts = told["steps"].as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn folders_are_seen_where_the_contract_puts_them() {
    let vhost = Vhost::fresh("files");
    let project = files_project();
    let host = project.start(&vhost);
    let told = asked(&vhost, &json!({ "steps": [] }));
    assert_eq!(told["seen"], json!(["/data", "/spool"]));
    let steps = stepped(
        &vhost,
        &[
            &["read", "/data", "a.txt"],
            &["read", "/data", "fine"],
            &["read", "/data", "inner/../inner/b.txt"],
            &["list", "/data", "inner"],
            &["write", "/spool", "new.txt", "written"],
            &["read", "/spool", "new.txt"],
            &["rename", "/spool", "new.txt", "/spool", "newer.txt"],
        ],
    );
    assert_eq!(steps, ["the content", "the content", "within", "b.txt", "done", "written", "done"]);
    assert_eq!(fs::read_to_string(project.path("spool/newer.txt")).unwrap(), "written");
    host.finish();
}

#[test]
fn nothing_leads_out_of_a_folder() {
    let vhost = Vhost::fresh("files-out");
    let project = files_project();
    let host = project.start(&vhost);
    let absolute = project.path("outside/secret.txt").display().to_string();
    let attempts: &[&[&str]] = &[
        &["read", "/data", "../outside/secret.txt"],
        &["read", "/data", "inner/../../outside/secret.txt"],
        &["read", "/data", &absolute],
        &["read", "/data", "/etc/passwd"],
        &["read", "/data", "up"],
        &["read", "/data", "absolute"],
        &["read", "/spool", "folder/secret.txt"],
        &["list", "/spool", "folder"],
        &["list", "/spool", ".."],
        &["symlink", "/spool", &absolute, "made"],
        &["read", "/spool", "made"],
        &["symlink", "/spool", "../outside/secret.txt", "made-2"],
        &["read", "/spool", "made-2"],
        &["write", "/spool", "made-2", "changed"],
        &["link", "/spool", "../outside/secret.txt", "/spool", "hard"],
        &["link", "/spool", "made-2", "/spool", "hard"],
        &["rename", "/spool", "../outside/secret.txt", "/spool", "taken"],
        &["rename", "/data", "a.txt", "/spool", "taken"],
        &["link", "/data", "a.txt", "/spool", "taken"],
        &["write", "/spool", "../outside/new.txt", "new"],
        &["make", "/spool", "../outside/new"],
        &["write", "/data", "new.txt", "new"],
        &["write", "/data", "a.txt", "changed"],
        &["truncate", "/data", "a.txt"],
        &["remove", "/data", "a.txt"],
        &["make", "/data", "new"],
        &["symlink", "/data", "a.txt", "new"],
        &["rename", "/data", "a.txt", "/data", "b.txt"],
    ];
    let came = stepped(&vhost, attempts);
    for (attempt, came) in attempts.iter().zip(came) {
        // To make a link that leads out is no harm; to go by it would be.
        let may_be_done = attempt[0] == "symlink" && attempt[1] == "/spool";
        assert!(may_be_done || came != "done", "{attempt:?}: {came}");
        assert!(
            !came.contains("not for you") && !came.contains("secret") && !came.contains("root:"),
            "{attempt:?}: {came}"
        );
    }
    assert_eq!(fs::read_to_string(project.path("outside/secret.txt")).unwrap(), "not for you");
    assert_eq!(fs::read_dir(project.path("outside")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(project.path("data/a.txt")).unwrap(), "the content");
    assert_eq!(fs::read_dir(project.path("data")).unwrap().count(), 5);
    host.finish();
}

#[test]
fn a_folder_stays_the_one_that_was_opened() {
    let vhost = Vhost::fresh("files-swapped");
    let project = files_project();
    let host = project.start(&vhost);
    // As another handler could that may write to the folder which they are in.
    fs::rename(project.path("data"), project.path("data-2")).unwrap();
    std::os::unix::fs::symlink(project.path("outside"), project.path("data")).unwrap();
    let steps = stepped(&vhost, &[&["read", "/data", "secret.txt"], &["read", "/data", "a.txt"]]);
    assert_eq!(steps, ["no-entry", "the content"]);
    host.finish();
}

#[test]
fn folders_that_cannot_be_granted_are_refused() {
    let vhost = Vhost::fresh("files-refused");
    let project = Project::new(&worker(
        USES_FILES,
        "files: [{ path: nowhere, at: /a }, { path: contract.yaml, at: /b }, { path: handlers, at: /c, access: read-write }, { path: state, at: /d }, { path: /, at: /e }]",
    ));
    fs::create_dir(project.path("state")).unwrap();
    let ended = refused(&project, &vhost, &[("WARREN_DATA", "state")]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    for said in [
        "the folder `nowhere` cannot be opened: No such file or directory",
        "make the folder before the host starts",
        "consumers.worker.capabilities.files.0.path",
        "`contract.yaml` is not a folder",
        "the handler could write to the contract or the components",
        "the folder `state` and the host's own",
        "the folder `/` and the host's own",
        "5 problems",
    ] {
        assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
    }
}
