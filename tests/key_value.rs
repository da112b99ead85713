//! Key-value stores of handlers.

use std::fs;

use serde_json::{Value, json};

use crate::capabilities::{asked, worker};
use crate::support::SOON;
use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::USES_KEY_VALUE;
use crate::support::host::{Host, Project};
use crate::support::letter::Letter;

fn stores_worker(stores: &str) -> Worker {
    worker(USES_KEY_VALUE, &format!("keyValue: [{stores}]"))
}

#[test]
fn a_store_keeps_what_a_call_that_succeeds_has_written() {
    let vhost = Vhost::fresh("stores");
    let project = Project::new(&stores_worker("orders").retry("mode: none"));
    let host = project.start(&vhost);
    let stepped =
        |steps: Value| asked(&vhost, &json!({ "store": "orders", "steps": steps }))["steps"].clone();
    let told = stepped(json!([
        ["get", "a"],
        ["set", "a", "1"],
        ["get", "a"],
        ["exists", "a"],
        ["set", "b", "2"],
        ["keys"],
        ["delete", "b"],
        ["exists", "b"],
        ["keys"],
        ["increment", "n", "5"],
        ["increment", "n", "2"]
    ]));
    assert_eq!(told, json!([null, null, "1", true, null, ["a", "b"], null, false, ["a"], 5, 7]));
    assert_eq!(
        stepped(json!([["keys"], ["get", "n"], ["increment", "a", "1"]])),
        json!([["a", "n"], "7", 2])
    );

    for then in ["fail", "trap"] {
        let task =
            json!({ "store": "orders", "steps": [["set", "a", "lost"], ["delete", "n"]], "then": then });
        vhost.client.publish("in", "task", Letter::json("m-2", &task));
        vhost.client.take_one("dead");
        assert_eq!(stepped(json!([["get", "a"], ["get", "n"]])), json!(["2", "7"]));
    }
    host.kill9();
    let host = project.start(&vhost);
    assert_eq!(stepped(json!([["get", "a"], ["get", "n"]])), json!(["2", "7"]));
    host.finish();
}

#[test]
fn stores_are_bounded_and_only_those_that_are_listed() {
    let vhost = Vhost::fresh("stores-bounds");
    let contract = stores_worker("{ name: small, maxMiB: 1 }").retry("mode: none").to_string();
    // Another consumer's store is not this one's.
    let queue = "  other: { deadLetter: { exchange: dlx, routingKey: dead } }\n";
    let other = format!(
        "  other: {{ queue: other, message: task, publishes: [echoed], capabilities: {{ keyValue: [theirs] }}, handler: {{ component: handlers/{} }} }}\n",
        USES_KEY_VALUE.file()
    );
    let binding = "bindings:\n  other: { exchange: in, queue: other, routingKey: other }\n";
    let contract = contract.replace("  dead: {}\n", &format!("  dead: {{}}\n{queue}"));
    let contract = contract.replace("bindings:\n", binding) + &other;
    let host = Host::start(&contract, &vhost);
    let opened = |store: &str| asked(&vhost, &json!({ "store": store, "steps": [] }))["steps"].clone();
    assert_eq!(opened("theirs"), json!([{ "error": "NotGranted" }]));
    assert_eq!(opened("nobodys"), json!([{ "error": "NoSuchStore" }]));
    assert_eq!(opened("small"), json!([]));
    let told = asked(
        &vhost,
        &json!({ "store": "small", "steps": [
            ["set", "", "x"], ["set", "k".repeat(2000), "x"], ["fill", "k", "2000000"], ["set", "t", "text"], ["increment", "t", "1"]
        ] }),
    );
    let errors: Vec<&str> = told["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["error"].as_str().unwrap_or("none"))
        .collect();
    assert_eq!(
        errors,
        [
            "a key has 1 to 1024 bytes, this has 0",
            "a key has 1 to 1024 bytes, this has 2000",
            "a value has at most 1048576 bytes, this has 2000000",
            "none",
            "the value is not a number in decimal digits"
        ]
    );
    asked(&vhost, &json!({ "store": "small", "steps": [["fill", "a", "900000"]] }));
    let full = json!({ "store": "small", "steps": [["fill", "b", "900000"]] });
    vhost.client.publish("in", "task", Letter::json("m-2", &full));
    let dead = vhost.client.take_one("dead");
    assert!(dead.text("x-last-error").contains("the key-value store `small` is full"), "{dead:?}");
    host.finish();
}

#[test]
fn calls_at_the_same_time_lose_no_step_of_a_number() {
    const COUNT: usize = 200;
    let vhost = Vhost::fresh("stores-counted");
    let host = Host::start(&stores_worker("counts").handler("deadlineMs: 60000, concurrency: 16"), &vhost);
    let task = json!({ "store": "counts", "steps": [["increment", "n", "1"]], "wait_ms": 1 });
    let letters = (0..COUNT).map(|index| Letter::json(&format!("m-{index}"), &task)).collect();
    vhost.client.publish_all("in", "task", letters);
    let got = vhost.client.take("echoes", COUNT);
    let mut numbers: Vec<u64> =
        got.iter().map(|letter| letter.json()["steps"][0].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=COUNT as u64).collect::<Vec<_>>(), "each is given out once");
    host.finish();
}

#[test]
fn two_hosts_share_the_stores_of_a_folder() {
    let (one, other) = (Vhost::fresh("stores-one"), Vhost::fresh("stores-other"));
    let project = Project::new(&stores_worker("shared"));
    let hosts = [project.start(&one), project.start(&other)];
    let step = |vhost: &Vhost| {
        asked(vhost, &json!({ "store": "shared", "steps": [["increment", "n", "1"]] }))["steps"][0].clone()
    };
    assert_eq!([step(&one), step(&other), step(&one)], [json!(1), json!(2), json!(3)]);
    for host in hosts {
        host.finish();
    }
}

#[test]
fn a_data_folder_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let vhost = Vhost::fresh("stores-open");
    let project = Project::new(&stores_worker("orders"));
    fs::create_dir(project.path("open")).unwrap();
    fs::set_permissions(project.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let host = project.launch(&vhost.url(), &["--data", "open"]);
    assert_eq!(host.until_exit(SOON), Some(70));
    assert!(host.log().contains("it must be yours alone") && host.log().contains("--data"), "{}", host.log());
}
