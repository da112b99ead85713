//! `warren plan` and `warren apply`: what is missing is created, what is different is named and left alone, and no queue
//! that holds messages is ever deleted.

use serde_json::{Value, json};

use crate::support::broker::{Vhost, management_url};
use crate::support::contract::Worker;
use crate::support::forwarder::free_port;
use crate::support::guests::SUCCEEDS;
use crate::support::host::{Finished, Project};
use crate::support::letter::Letter;
use crate::support::{SOON, eventually};

const USAGE: i32 = 64;
const UNAVAILABLE: i32 = 69;
const PENDING: i32 = 75;
const NO_PERMISSION: i32 = 77;
const CONTRACT: i32 = 78;
const INTERRUPTED: i32 = 130;

/// A vhost, and a project whose commands talk to it.
struct Stage {
    vhost: Vhost,
    project: Project,
}

impl Stage {
    fn new(name: &str) -> Self {
        Self::of(name, &Worker::new(SUCCEEDS))
    }

    fn of(name: &str, contract: &impl ToString) -> Self {
        Self { vhost: Vhost::fresh(name), project: Project::new(contract) }
    }

    /// With everything applied.
    fn applied(name: &str) -> Self {
        let stage = Self::new(name);
        let applied = stage.run(&["apply"]);
        assert_eq!(applied.code, Some(0), "{}{}", applied.stdout, applied.stderr);
        stage
    }

    /// Through the management API.
    fn run(&self, arguments: &[&str]) -> Finished {
        self.project.spawn(self.command(arguments, management_url())).finish()
    }

    /// Without one.
    fn run_by_amqp(&self, arguments: &[&str]) -> Finished {
        self.project.spawn(self.command(arguments, "")).finish()
    }

    fn command(&self, arguments: &[&str], management: &str) -> std::process::Command {
        let mut command = self.project.command(arguments);
        command.args(["contract.yaml", "--amqp-url", &self.vhost.url(), "--management-url", management]);
        command
    }

    fn bindings_of(&self, queue: &str) -> Vec<Value> {
        let bindings = self.vhost.list("bindings").into_iter();
        bindings.filter(|it| it["source"] != "" && it["destination"] == queue).collect()
    }

    /// A wait queue as Warren makes them, with a delay that the contract does not have.
    fn add_orphan(&self, name: &str) {
        let arguments = json!({
            "x-queue-type": "quorum", "x-message-ttl": 600_000, "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "work", "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        });
        self.vhost.put("queues", name, &json!({ "durable": true, "arguments": arguments }));
    }
}

/// Fails if a text is missing in what a command said.
fn says(finished: &Finished, code: i32, parts: &[&str]) {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}

#[test]
fn what_is_missing_is_planned_and_then_created() {
    let stage = Stage::new("missing");
    for plan in [stage.run(&["plan"]), stage.run_by_amqp(&["plan"]), stage.run(&["apply", "--dry-run"])] {
        says(&plan, PENDING, &["+ exchange `in`", "+ queue `work`", "+ wait queue `work-wait-50ms`"]);
        says(&plan, PENDING, &["+ binding `in` -> `work` with `task`", "10 to create"]);
    }
    assert_eq!(stage.vhost.queues(), [] as [&str; 0], "a plan creates nothing");
    says(&stage.run(&["apply"]), 0, &["created exchange `in`", "created queue `work`"]);
    // Something is lost, and comes back.
    stage.vhost.client.delete_queue("echoes");
    stage.vhost.client.unbind("work", "in", "task");
    let plan = stage.run(&["plan", "--format", "json"]);
    let json: Value = serde_json::from_str(&plan.stdout).unwrap();
    let missing: Vec<&Value> =
        json["items"].as_array().unwrap().iter().filter(|item| item["state"] == "missing").collect();
    let names: Vec<&Value> =
        missing.iter().map(|item| item.get("name").unwrap_or(&item["destination"])).collect();
    assert_eq!(names, ["echoes", "echoes", "work"], "{missing:?}");
    let applied = stage.run(&["apply"]);
    says(&applied, 0, &[]);
    assert_eq!(applied.stdout.lines().count(), 3, "{}", applied.stdout);
    says(&stage.run(&["plan"]), 0, &["10 as the contract says"]);
    stage.project.start(&stage.vhost).finish();
}

#[test]
fn what_is_different_is_named_with_the_way_to_change_it_and_left_alone() {
    let stage = Stage::applied("different");
    let change = |arguments: &mut serde_json::Map<String, Value>| {
        arguments.insert("x-max-length".to_owned(), json!(500));
    };
    stage.vhost.declare_otherwise("work", change);
    let letters = (0..3).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
    stage.vhost.client.publish_all("", "work", letters);
    stage.vhost.client.delete_queue("echoes");
    let before = stage.vhost.queue("work")["arguments"].clone();
    let difference = "`x-max-length` is `500` there, the contract asks for not set";
    let way =
        ["queue `work` is different", difference, "set_parameter shovel to-work-moved", "delete_queue work"];
    let amqp = stage.run_by_amqp(&["plan"]);
    says(&amqp, CONTRACT, &way);
    says(&amqp, CONTRACT, &["it holds 3 messages", "there may be more"]);
    says(&stage.run(&["plan"]), CONTRACT, &way);
    // All or nothing,
    let refused = stage.run(&["apply", "--prune"]);
    says(&refused, CONTRACT, &way);
    says(&refused, CONTRACT, &["nothing was applied", "--partial"]);
    assert!(!stage.vhost.client.exists("echoes"));
    // unless it was asked for otherwise; what has to do with the different queue is left out.
    let partial = stage.run(&["apply", "--partial", "--prune"]);
    says(&partial, CONTRACT, &["created queue `echoes`", "left out: binding `in` -> `work`", difference]);
    assert!(stage.vhost.client.exists("echoes"));
    assert_eq!(stage.vhost.queue("work")["arguments"], before);
    assert_eq!(stage.vhost.leftovers(), [("work".to_owned(), 3)].into());
}

#[test]
fn an_exchange_that_is_different_is_left_alone() {
    let stage = Stage::new("exchange");
    stage.vhost.client.declare_exchange("in", lapin::ExchangeKind::Topic);
    for plan in [stage.run(&["plan"]), stage.run_by_amqp(&["plan"]), stage.run(&["apply"])] {
        says(
            &plan,
            CONTRACT,
            &["exchange `in` is different", "`type` is `topic` there, the contract asks for `direct`"],
        );
    }
    assert_eq!(stage.vhost.queues(), [] as [&str; 0]);
    assert_eq!(stage.vhost.exchange("in").unwrap()["type"], "topic");
}

#[test]
fn wait_queues_of_an_older_contract_are_deleted_only_when_they_are_empty() {
    let stage = Stage::applied("orphans");
    stage.add_orphan("work-wait-500ms");
    stage.add_orphan("work-wait-600ms");
    stage.vhost.put("queues", "else-wait-500ms", &json!({ "durable": true }));
    stage.vhost.client.publish("", "work-wait-600ms", Letter::json("m-1", &json!({})));
    let plan = stage.run(&["plan"]);
    says(&plan, 0, &["wait queue `work-wait-500ms` is left of an older contract", "`work-wait-600ms`"]);
    assert!(!plan.stdout.contains("else-wait-500ms"), "{}", plan.stdout);
    says(&stage.run(&["apply"]), 0, &["nothing to do"]);
    says(&stage.run(&["apply", "--prune", "--dry-run"]), PENDING, &[]);
    says(&stage.run_by_amqp(&["apply", "--prune"]), 0, &["cannot be seen what to remove"]);
    let pruned = stage.run(&["apply", "--prune"]);
    let kept = "kept: wait queue `work-wait-600ms`, because it has 1 messages";
    says(&pruned, PENDING, &["deleted wait queue `work-wait-500ms`", kept]);
    assert!(!stage.vhost.client.exists("work-wait-500ms"));
    assert!(stage.vhost.client.exists("else-wait-500ms") && stage.vhost.client.exists("work-wait-50ms"));
    assert_eq!(stage.vhost.client.take_one("work-wait-600ms").id(), "m-1");
    // Empty now; and a Ctrl-C while it is watched leaves it.
    let pruning = stage.project.spawn(stage.command(&["apply", "--prune"], management_url()));
    pruning.until_said("watching 1 wait queues");
    pruning.signal("INT");
    says(&pruning.finish(), INTERRUPTED, &["interrupted after 0 of 1 changes"]);
    assert!(stage.vhost.client.exists("work-wait-600ms"));
}

#[test]
fn a_message_that_comes_while_a_wait_queue_is_watched_keeps_it() {
    let stage = Stage::applied("watched");
    stage.add_orphan("work-wait-500ms");
    let pruning = stage.project.spawn(stage.command(&["apply", "--prune"], management_url()));
    pruning.until_said("watching 1 wait queues");
    stage.vhost.client.publish("", "work-wait-500ms", Letter::json("m-1", &json!({})));
    says(&pruning.finish(), PENDING, &["kept: wait queue `work-wait-500ms`"]);
    assert_eq!(stage.vhost.client.take_one("work-wait-500ms").id(), "m-1");
}

#[test]
fn other_bindings_of_our_own_queues_are_removed_if_asked_for() {
    let stage = Stage::applied("extra");
    stage.vhost.client.bind("work", "in", "old");
    stage.vhost.put("queues", "theirs", &json!({ "durable": true }));
    stage.vhost.client.bind("theirs", "in", "old");
    let extra = "binding `in` -> `work` with `old`";
    says(&stage.run(&["plan"]), 0, &[extra, "is not in the contract"]);
    says(&stage.run(&["apply"]), 0, &["nothing to do"]);
    assert_eq!(stage.bindings_of("work").len(), 2);
    says(&stage.run(&["apply", "--prune"]), 0, &[&format!("removed {extra}")]);
    assert_eq!(stage.bindings_of("work").len(), 1);
    assert_eq!(stage.bindings_of("theirs").len(), 1, "what others bind to our exchange is theirs");
    says(&stage.run(&["apply", "--prune"]), 0, &["nothing to do"]);
}

#[test]
fn what_somebody_else_has_to_create_is_waited_for() {
    let contract = Worker::new(SUCCEEDS).echoes("owned: false, onPoison: drop").to_string();
    let stage = Stage::of("absent", &contract);
    let absent = ["queue `echoes` is missing, and somebody else's to create"];
    for refused in [stage.run(&["plan"]), stage.run_by_amqp(&["plan"]), stage.run(&["apply"])] {
        says(&refused, CONTRACT, &absent);
    }
    assert_eq!(stage.vhost.queues(), [] as [&str; 0]);
    stage.vhost.put(
        "queues",
        "echoes",
        &json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } }),
    );
    says(&stage.run(&["apply"]), 0, &["created binding `out` -> `echoes`"]);
    says(&stage.run(&["plan"]), 0, &[]);
    assert_eq!(stage.vhost.queue("echoes")["arguments"], json!({ "x-queue-type": "quorum" }));
}

#[test]
fn a_policy_that_changes_what_the_contract_says_is_named() {
    let stage = Stage::applied("policy");
    stage.vhost.set_policy("impatient", "^work", &json!({ "message-ttl": 10, "delivery-limit": 2 }));
    // The broker lists policies of queues a moment later.
    let plan = eventually("the policy is in the plan", SOON, || {
        let plan = stage.run(&["plan"]);
        plan.stdout.contains("impatient").then_some(plan)
    });
    let parts = [
        "the policy `impatient` changes the queue `work`: `message-ttl` is `10`, the contract says nothing",
        "`delivery-limit` is `2`, the contract says `100`",
        "a wait queue `work-wait-50ms`: `message-ttl` is `10`, the contract says `50`",
    ];
    says(&plan, 0, &parts);
}

/// It exists only while the host runs, for nobody else, and with what is bound to it.
#[test]
fn an_exclusive_queue_is_left_to_the_host_that_runs() {
    let worker = Worker::new(SUCCEEDS).queue("type: classic, durable: false, exclusive: true");
    let stage = Stage::of("exclusive", &worker.retry("mode: none"));
    let applied = stage.run(&["apply"]);
    says(&applied, 0, &["created queue `echoes`"]);
    assert!(!stage.vhost.client.exists("work"));
    let host = stage.project.start(&stage.vhost);
    for plan in [stage.run(&["plan"]), stage.run_by_amqp(&["plan"])] {
        says(&plan, 0, &["2 left to the host that runs"]);
    }
    says(&stage.run(&["apply", "--prune"]), 0, &["nothing to do"]);
    stage.vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    host.finish();
}

#[test]
fn a_management_api_that_is_not_there_is_done_without() {
    let stage = Stage::new("unmanaged");
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let run = |arguments: &[&str]| stage.project.spawn(stage.command(arguments, &nowhere)).finish();
    let plan = run(&["plan"]);
    says(
        &plan,
        PENDING,
        &["does not answer", "over AMQP instead", "cannot be seen over AMQP", "10 to create"],
    );
    assert_eq!(plan.stderr.matches("does not answer").count(), 1);
    says(&run(&["apply"]), 0, &["created queue `work`"]);
    says(&run(&["apply"]), 0, &["nothing to do", "declared 3 bindings that could not be seen"]);
    says(&stage.run(&["plan"]), 0, &["10 as the contract says"]);
}

#[test]
fn brokers_that_are_not_there_or_refuse_are_told_apart() {
    let stage = Stage::new("refused");
    let run = |command: &str, amqp: &str, management: &str| {
        let arguments = [command, "contract.yaml", "--amqp-url", amqp, "--management-url", management];
        stage.project.run(&arguments)
    };
    let url = stage.vhost.url();
    let nowhere = format!("amqp://guest:secret@127.0.0.1:{}", free_port());
    let wrong = url.replacen(":guest@", ":secret@", 1);
    let managed = management_url().replacen(":guest@", ":secret@", 1);
    for command in ["plan", "apply"] {
        for (amqp, management, code) in [
            (nowhere.as_str(), "", UNAVAILABLE),
            (&wrong, "", NO_PERMISSION),
            (&wrong, &managed, NO_PERMISSION), // the management API says 401, and AMQP says why
            (&url, "ftp://127.0.0.1", USAGE),
            ("nonsense", "", USAGE),
        ] {
            let ran = run(command, amqp, management);
            says(&ran, code, &["error: "]);
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("secret"), "{}", ran.stderr);
        }
    }
    assert_eq!(stage.vhost.queues(), [] as [&str; 0]);
}
