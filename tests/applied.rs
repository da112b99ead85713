//! Every contract of the corpus, applied in a vhost of its own: what the broker then reports is the topology.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use warren::contract::{Contract, Destination, ExchangeType, Surroundings};
use warren::topology::{self, Topology};

use crate::support::broker::{Vhost, broker, management_url};
use crate::support::contract::Worker;
use crate::support::guests::SUCCEEDS;
use crate::support::host::{Finished, Project};

/// What the corpus may rely on in the environment.
const VARIABLE: (&str, &str) = ("WARREN_TEST_SET", "7");

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts/valid");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("a file").path()).collect();
    // `ways.explain.json` and its like are goldens.
    let is_contract = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.split_once('.').is_some_and(|(_, extension)| matches!(extension, "yaml" | "json"))
    };
    files.retain(is_contract);
    files.sort();
    assert!(!files.is_empty());
    files
}

fn topology_of(path: &Path) -> Topology {
    let text = std::fs::read_to_string(path).expect("a contract");
    let folder = path.parent().expect("a folder");
    let name = path.file_name().expect("a name").to_string_lossy();
    let read_file = |file: &str| std::fs::read_to_string(folder.join(file));
    let variable = |name: &str| (name == VARIABLE.0).then(|| VARIABLE.1.to_owned());
    let contract = Contract::parse(&name, &text, Surroundings { read_file: &read_file, variable: &variable });
    topology::derive(&contract.unwrap_or_else(|problems| panic!("{}: {problems}", path.display())))
}

fn word(kind: ExchangeType) -> &'static str {
    match kind {
        ExchangeType::Topic => "topic",
        ExchangeType::Direct => "direct",
        ExchangeType::Fanout => "fanout",
        ExchangeType::Headers => "headers",
    }
}

/// What somebody else has to have created.
fn create_passive(topology: &Topology, vhost: &Vhost) {
    for exchange in topology.exchanges.iter().filter(|it| it.passive && !it.name.starts_with("amq.")) {
        vhost.put("exchanges", &exchange.name, &json!({ "type": word(exchange.kind), "durable": true }));
    }
    for queue in topology.queues.iter().filter(|queue| queue.passive) {
        let kind = queue.arguments.get("x-queue-type").cloned().unwrap_or(json!("classic"));
        vhost.put("queues", &queue.name, &json!({ "durable": true, "arguments": { "x-queue-type": kind } }));
    }
}

/// Names and properties, as text.
type Things = BTreeMap<String, String>;

fn text(properties: &[(&str, Value)]) -> String {
    let object: Map<String, Value> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Value::Object(object).to_string()
}

fn asked(topology: &Topology) -> (Things, Things, BTreeSet<String>) {
    let exchange = |it: &topology::ExchangeDeclaration| {
        let properties = [
            ("type", json!(word(it.kind))),
            ("durable", json!(it.durable)),
            ("auto_delete", json!(it.auto_delete)),
            ("internal", json!(it.internal)),
            ("arguments", json!(it.arguments)),
        ];
        (it.name.clone(), if it.passive { String::new() } else { text(&properties) })
    };
    let queue = |it: &topology::QueueDeclaration| {
        let properties = [
            ("type", it.arguments["x-queue-type"].clone()),
            ("durable", json!(it.durable)),
            ("auto_delete", json!(it.auto_delete)),
            ("arguments", json!(it.arguments)),
        ];
        (it.name.clone(), if it.passive { String::new() } else { text(&properties) })
    };
    let is_exclusive = |to: &Destination| {
        topology.queues.iter().any(|it| it.exclusive && *to == Destination::Queue(it.name.clone()))
    };
    let binding = |it: &warren::contract::Binding| {
        let kind = if matches!(it.destination, Destination::Queue(_)) { "queue" } else { "exchange" };
        json!([it.exchange, kind, it.destination.name(), it.routing_key, it.arguments]).to_string()
    };
    let bindings = topology.bindings.iter().filter(|it| !is_exclusive(&it.destination));
    (
        topology.exchanges.iter().map(exchange).collect(),
        topology.queues.iter().filter(|it| !it.exclusive).map(queue).collect(),
        bindings.map(binding).collect(),
    )
}

fn reported(topology: &Topology, vhost: &Vhost) -> (Things, Things, BTreeSet<String>) {
    let read = |list: Vec<Value>, names: &[&str], passive: &dyn Fn(&str) -> bool| -> Things {
        let thing = |it: &Value| {
            let name = it["name"].as_str().expect("a name").to_owned();
            let properties: Vec<(&str, Value)> =
                names.iter().map(|name| (*name, it[*name].clone())).collect();
            let properties = if passive(&name) { String::new() } else { text(&properties) };
            (name, properties)
        };
        list.iter().map(thing).collect()
    };
    let passive_exchange = |name: &str| topology.exchanges.iter().any(|it| it.passive && it.name == name);
    let passive_queue = |name: &str| topology.queues.iter().any(|it| it.passive && it.name == name);
    let properties = ["type", "durable", "auto_delete", "internal", "arguments"];
    let mut exchanges = read(vhost.list("exchanges"), &properties, &passive_exchange);
    exchanges.retain(|name, _| passive_exchange(name) || !(name.is_empty() || name.starts_with("amq.")));
    let queues = read(vhost.list("queues"), &["type", "durable", "auto_delete", "arguments"], &passive_queue);
    let binding = |it: &Value| {
        let parts = ["source", "destination_type", "destination", "routing_key", "arguments"];
        json!(parts.map(|name| it[name].clone())).to_string()
    };
    let bindings = vhost.list("bindings").into_iter().filter(|it| it["source"] != "");
    (exchanges, queues, bindings.map(|it| binding(&it)).collect())
}

fn warren(project: &Project, command: &str, contract: &Path, vhost: &Vhost, management: bool) -> Finished {
    let mut warren = project.command(&[command, "--amqp-url", &vhost.url()]);
    warren.arg(contract).env(VARIABLE.0, VARIABLE.1);
    if management {
        warren.args(["--management-url", management_url()]);
    }
    project.spawn(warren).finish()
}

#[test]
fn what_is_applied_is_what_the_broker_then_reports() {
    let project = Project::new(&Worker::new(SUCCEEDS));
    for path in corpus() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let topology = topology_of(&path);
        if topology.needs_native_delay && broker().version < (4, 3) {
            eprintln!("skipped {name}: it needs RabbitMQ 4.3, this is {:?}", broker().version);
            continue;
        }
        let vhost = Vhost::fresh("applied");
        create_passive(&topology, &vhost);
        let run = |command: &str, management: bool| {
            let ran = warren(&project, command, &path, &vhost, management);
            (ran.code, format!("{name}: {}{}", ran.stdout, ran.stderr))
        };
        let (exchanges, queues, bindings) = asked(&topology);
        let (code, said) = run("apply", true);
        assert_eq!(code, Some(0), "{said}");
        let found = reported(&topology, &vhost);
        assert_eq!(found.0, exchanges, "{name}");
        assert_eq!(found.1, queues, "{name}");
        assert_eq!(found.2, bindings, "{name}");
        // And there is nothing left to do, however one looks.
        for management in [true, false] {
            let (code, said) = run("plan", management);
            assert_eq!(code, Some(0), "{said}");
            let (code, said) = run("apply", management);
            assert!(code == Some(0) && said.contains("nothing to do"), "{said}");
        }
        assert_eq!(reported(&topology, &vhost), (exchanges, queues, bindings), "{name}");
    }
}
