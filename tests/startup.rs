//! What keeps a host from starting, said so that it can be mended; and a broker that comes late.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use lapin::ExchangeKind;
use serde_json::{Map, Value, json};

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::forwarder::{Forwarder, free_port};
use crate::support::guests::{ECHOES, SUCCEEDS};
use crate::support::host::{Finished, Project};
use crate::support::letter::Letter;

/// EX_CONFIG and EX_NOPERM of sysexits.h.
const CONTRACT: i32 = 78;
const NO_PERMISSION: i32 = 77;

/// `check` and `run` both say no, in the same words, and `run` before it looks for a broker.
fn refused(project: &Project) -> Finished {
    let nowhere = format!("amqp://127.0.0.1:{}", free_port());
    let check = project.run(&["check", "contract.yaml", "--log", "off"]);
    let run = project.run(&["run", "contract.yaml", "--log", "off", "--amqp-url", &nowhere]);
    assert_eq!((check.code, run.code), (Some(CONTRACT), Some(CONTRACT)), "{}\n{}", check.stderr, run.stderr);
    assert_eq!(check.stderr, run.stderr);
    assert_eq!((check.stdout.as_str(), run.stdout.as_str()), ("", ""));
    check
}

/// Line and column of `needle` in `text`, as they are printed.
fn place(text: &str, needle: &str) -> String {
    let before = text.split_once(needle).unwrap_or_else(|| panic!("no `{needle}` in the contract")).0;
    let line = before.lines().count().max(1);
    let column = before.rsplit('\n').next().unwrap_or_default().len() + 1;
    format!("contract.yaml:{}:{column}", if before.ends_with('\n') { line + 1 } else { line })
}

#[test]
fn a_contract_that_is_not_sound_is_refused_with_place_and_hint() {
    let sound = Worker::new(ECHOES).to_string();
    for (from, to, at, says, hint) in [
        ("exchanges:\n", "exchanges: [\n", "", "this `[` is not closed", "add the `]`"),
        ("contract: tests", "contract: !tag tests", "!tag", "YAML tags are not part of the contract", ""),
        ("{ command: task", "{ comand: task", "comand: task", "`comand`", "did you mean `command`?"),
        ("deadlineMs: 60000", "deadlineMs: soon", "soon", "", ""),
        ("deadlineMs: 60000", "deadlineMs: 0", "0 }, publishes", "`deadlineMs` is between 1 and 1500000", ""),
        ("queue: work,", "queue: wrok,", "wrok", "no queue is called `wrok`", "did you mean `work`?"),
        ("message: task }", "message: tusk }", "tusk", "no message is called `tusk`", "did you mean `task`?"),
        (
            "{ command: task",
            "{ command: tasks",
            "tasks,",
            "no command is called `tasks`",
            "did you mean `task`?",
        ),
        ("[echoed]", "[echod]", "echod]", "`echod`", "did you mean `echoed`?"),
        ("{ exchange: in,", "{ exchange: inn,", "inn", "no exchange is called `inn`", "did you mean `in`?"),
        (
            "payload: { type: object }",
            "payload: { $ref: none.json }",
            "none.json",
            "`none.json` cannot be read",
            "",
        ),
        (
            "payload: { type: object }",
            "payload: { $ref: bad.json }",
            "bad.json",
            "`bad.json` is not JSON",
            "",
        ),
        (
            "payload: { type: object }",
            "payload: { type: thing }",
            "thing",
            "`thing` is not a type of JSON Schema",
            "",
        ),
        (
            "routingKey: dead }, retry",
            "routingKey: dad }, retry",
            "dad }, retry",
            "dead letters of `work` reach no queue",
            "did you mean `dead`?",
        ),
        (
            "  echoes: { exchange: out, queue: echoes, routingKey: echoed }\n",
            "",
            "echoed: { exchange",
            "what `echoed` publishes reaches no queue",
            "bind a queue",
        ),
    ] {
        assert_eq!(sound.matches(from).count().min(1), 1, "no `{from}` in the contract");
        let contract = sound.replacen(from, to, 1);
        let project = Project::new(&contract);
        project.write("bad.json", "{");
        let stderr = refused(&project).stderr;
        let at = if at.is_empty() { "contract.yaml:".to_owned() } else { place(&contract, at) };
        for part in [at.as_str(), says, hint] {
            assert!(stderr.contains(part), "`{to}` should give `{part}`:\n{stderr}");
        }
    }
}

#[test]
fn all_problems_of_a_contract_are_said_at_once() {
    let contract = Worker::new(ECHOES)
        .to_string()
        .replace("queue: work,", "queue: wrok,")
        .replace("[echoed]", "[nothing]");
    let stderr = refused(&Project::new(&contract)).stderr;
    assert!(stderr.contains("`wrok`") && stderr.contains("`nothing`"), "{stderr}");
    assert!(stderr.contains("contract.yaml: 2 problems"), "{stderr}");
}

#[test]
fn a_contract_that_cannot_be_read_is_refused() {
    let project = Project::new(&"");
    for (contract, says) in
        [("missing.yaml", "missing.yaml"), ("handlers", "handlers"), ("latin1.yaml", "not UTF-8")]
    {
        project.write("latin1.yaml", b"contract: \xe9");
        let check = project.run(&["check", contract]);
        assert!(check.code.is_some_and(|code| code != 0), "{contract}");
        assert!(check.stderr.contains(says), "{contract}: {}", check.stderr);
    }
}

/// A component that exports what a handler exports, by name, and imports this.
fn component_importing(import: &str) -> String {
    format!(
        "(component {import}
           (core module $m (func (export \"f\")))
           (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i \"f\")))
           (instance $e (export \"handle\" (func $f)))
           (export \"warren:handler/consumer@0.1.0\" (instance $e)))"
    )
}

#[test]
fn a_component_that_cannot_be_the_handler_is_refused() {
    let wasm = |text: &str| wat::parse_str(text).expect("WebAssembly text");
    let echoes = std::fs::read(ECHOES.component()).unwrap();
    let other = "(component
        (core module $m (func (export \"f\")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i \"f\")))
        (export \"greet\" (func $f)))";
    let http = "(import \"wasi:http/outgoing-handler@0.2.0\" (instance (export \"handle\" (func))))";
    for (what, component, says, hint) in [
        ("not wasm", b"#!/bin/sh\n".to_vec(), "it is not a WebAssembly file", "the build of the handler"),
        ("empty", Vec::new(), "it is not a WebAssembly file", "the build of the handler"),
        ("a core module", wasm("(module)"), "it is a core module, not a component", "wasm32-wasip2"),
        ("cut off", echoes[..echoes.len() / 2].to_vec(), "it is damaged", "was it cut off?"),
        ("nothing in it", wasm("(component)"), "it exports nothing", "the world `handler`"),
        ("another world", wasm(other), "it exports `greet`", "the world `handler`"),
        (
            "imports",
            wasm(&component_importing(http)),
            "`wasi:http/outgoing-handler@0.2.0`",
            "capabilities: { http: [",
        ),
        (
            "other types",
            wasm(&component_importing("")),
            "is not the one of this host",
            "the wit/ of this host",
        ),
    ] {
        let contract = Worker::new(ECHOES).to_string().replace("handlers/echoes.wasm", "it.wasm");
        let project = Project::new(&contract);
        project.write("it.wasm", component);
        let stderr = refused(&project).stderr;
        // What is not granted is to be granted where the consumer is.
        let at = place(&contract, if what == "imports" { "worker:" } else { "it.wasm" });
        for part in [at.as_str(), "`it.wasm` cannot be this handler", says, hint] {
            assert!(stderr.contains(part), "{what} should give `{part}`:\n{stderr}");
        }
    }
}

#[test]
fn a_component_that_is_not_what_the_contract_says_is_refused() {
    let sound = Worker::new(ECHOES).to_string();
    let pinned = format!("sha256: {}, deadlineMs", "ab".repeat(32));
    for (from, to, says) in [
        ("handlers/echoes.wasm", "handlers/none.wasm", "`handlers/none.wasm` cannot be read"),
        ("handlers/echoes.wasm", "handlers", "`handlers` cannot be read"),
        ("deadlineMs", &pinned, "the contract wants abab"),
        ("deadlineMs: 60000", "memoryMiB: 1", "asked for more memory than its limit of 1 MiB"),
    ] {
        let contract = sound.replacen(from, to, 1);
        let stderr = refused(&Project::new(&contract)).stderr;
        for part in [place(&contract, "handlers").as_str(), says] {
            assert!(stderr.contains(part), "`{to}` should give `{part}`:\n{stderr}");
        }
    }
}

#[test]
fn a_sound_contract_is_checked_without_a_broker() {
    let check = Project::new(&Worker::new(ECHOES)).run(&["check", "contract.yaml", "--log", "off"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""));
    for part in ["worker: takes `task` from work", "publishes echoed", "contract.yaml: sound", "4 queues"] {
        assert!(check.stdout.contains(part), "{part}: {}", check.stdout);
    }
}

#[test]
fn paths_are_relative_to_the_contract() {
    let project = Project::new(&Worker::new(ECHOES).payload("$ref: schemas/task.json"));
    std::fs::create_dir(project.path("schemas")).unwrap();
    project.write("schemas/task.json", "{}");
    let mut command = project.command(&["check"]);
    command.arg(project.path("contract.yaml")).current_dir("/");
    let check = project.spawn(command).finish();
    assert_eq!(check.code, Some(0), "{}", check.stderr);
}

#[test]
fn a_damaged_compile_cache_is_not_used() {
    let project = Project::new(&Worker::new(ECHOES));
    let check = || project.run(&["check", "contract.yaml", "--cache-dir", "cache"]);
    assert_eq!(check().code, Some(0));
    for file in std::fs::read_dir(project.path("cache")).unwrap() {
        let path = file.unwrap().path();
        let mut code = std::fs::read(&path).unwrap();
        let middle = code.len() / 2;
        code[middle] ^= 0xff;
        std::fs::write(path, code).unwrap();
    }
    let again = check();
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    // And one that others may write to is not used at all: what is in it is run as it is.
    std::fs::set_permissions(project.path("cache"), Permissions::from_mode(0o777)).unwrap();
    let open = check();
    assert!(open.code != Some(0) && open.stderr.contains("yours alone"), "{}", open.stderr);
}

#[test]
fn a_queue_that_is_there_with_other_arguments_is_left_alone() {
    type Change = Box<dyn Fn(&mut Map<String, Value>)>;
    let nothing: Change = Box::new(Map::clear);
    let set = |name: &'static str, value: Value| -> Change {
        Box::new(move |arguments| drop(arguments.insert(name.to_owned(), value.clone())))
    };
    let cases: [(&str, Change, &str, &str, &str); 4] = [
        ("work", set("x-max-length", json!(500)), "x-max-length", "`500`", "not set"),
        ("work", set("x-dead-letter-exchange", json!("old")), "x-dead-letter-exchange", "`old`", "`dlx`"),
        ("work", nothing, "x-dead-letter-exchange", "not set", "`dlx`"),
        ("work-wait-50ms", set("x-message-ttl", json!(600_000)), "x-message-ttl", "`600000`", "`50`"),
    ];
    for (queue, change, argument, is, asked) in cases {
        let vhost = Vhost::fresh("conflict");
        let project = Project::new(&Worker::new(ECHOES));
        project.start(&vhost).finish();
        vhost.declare_otherwise(queue, change);
        let letters = (0..3).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
        vhost.client.publish_all("", queue, letters);
        let before = vhost.queue(queue)["arguments"].clone();

        let run = project.run(&["run", "contract.yaml", "--amqp-url", &vhost.url()]);
        assert_eq!(run.code, Some(CONTRACT), "{}", run.stderr);
        let difference = format!("`{argument}` is {is} there, the contract asks for {asked}");
        for part in [&format!("queue `{queue}` exists"), &difference, "it was left as it is"] {
            assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
        }
        assert_eq!(vhost.queue(queue)["arguments"], before);
        assert_eq!(vhost.leftovers(), [(queue.to_owned(), 3)].into());
    }
}

#[test]
fn an_exchange_that_is_there_with_another_type_is_left_alone() {
    let vhost = Vhost::fresh("exchange");
    vhost.client.declare_exchange("in", ExchangeKind::Topic);
    let run = Project::new(&Worker::new(ECHOES)).run(&["run", "contract.yaml", "--amqp-url", &vhost.url()]);
    assert_eq!(run.code, Some(CONTRACT), "{}", run.stderr);
    for part in ["exchange `in` exists", "`type` is `topic` there, the contract asks for `direct`"] {
        assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
    }
    assert_eq!(vhost.exchange("in").unwrap()["type"], "topic");
}

#[test]
fn a_broker_that_refuses_is_not_asked_again() {
    let vhost = Vhost::fresh("refuses");
    let wrong_password = vhost.url().replacen(":guest@", ":wrong@", 1);
    let no_vhost = format!("{}-not-there", vhost.url());
    let project = Project::new(&Worker::new(SUCCEEDS));
    for url in [&wrong_password, &no_vhost] {
        let run = project.run(&["run", "contract.yaml", "--amqp-url", url]);
        assert_eq!(run.code, Some(NO_PERMISSION), "{url}: {}", run.stderr);
        assert!(run.stderr.contains("refused"), "{}", run.stderr);
        assert!(!run.stderr.contains("wrong"), "a password is shown: {}", run.stderr);
    }
}

#[test]
fn a_broker_that_is_not_there_is_waited_for() {
    let vhost = Vhost::fresh("late");
    let port = free_port();
    let host = Project::new(&Worker::new(ECHOES)).launch(&vhost.url_by(port), &[]);
    host.until_event("no broker at", 1);
    // For a while there is something that takes connections and drops them, as a broker does that is starting up.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for _ in 0..2 {
        drop(listener.accept().unwrap());
    }
    let _forwarder = Forwarder::of(listener);
    host.until_ready(1);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.take_one("echoes");
    let said = host.events("no broker at");
    host.finish();
    // Said once for each kind of trouble, and not once for each try.
    let texts: std::collections::BTreeSet<String> =
        said.iter().map(|event| event["message"].to_string()).collect();
    assert_eq!(said.len(), texts.len(), "{said:?}");
    assert_eq!(vhost.leftovers(), [].into());
}
