//! Plans of a small contract against brokers that are made up here.

use serde_json::{Map, Value, json};

use crate::contract::{Contract, Destination, Surroundings};
use crate::topology::{self, Topology};

use super::observed::{Binding, Difference, ExchangeShape, Observed, Policy, Queue, QueueShape, Seen, Sight};
use super::*;

const PLACE: Place<'static> = Place { vhost: "/", contract: "contract.yaml" };
const CONTRACT: &str = "
contract: shop
exchanges:
  in: { type: topic, alternateExchange: lost }
  inner: { type: topic }
  lost: { type: fanout, owned: false }
  dlx: { type: direct }
queues:
  work: { deadLetter: { exchange: dlx, routingKey: dead }, retry: { mode: ttl-backoff, maxRetries: 2, initialDelayMs: 100, maxDelayMs: 100 } }
  dead: {}
  theirs: { owned: false, onPoison: drop }
bindings:
  dead: { exchange: dlx, queue: dead, routingKey: dead }
  work: { exchange: inner, queue: work, routingKey: '#' }
  inner: { exchange: in, toExchange: inner, routingKey: 'task.#' }
  theirs: { exchange: in, queue: theirs, routingKey: task.theirs }
messages: { task: { payload: { type: object } } }
publishers: { task: { exchange: in, routingKey: task.one, message: task } }
consumers: { worker: { message: task, queue: work, handler: { component: a.wasm } } }
";

fn topology_of(text: &str) -> Topology {
    let surroundings = Surroundings { read_file: &|_| unreachable!(), variable: &|_| None };
    let contract = Contract::parse("contract.yaml", text, surroundings);
    topology::derive(&contract.unwrap_or_else(|problems| panic!("{problems}")))
}

/// A broker on which everything is as the topology has it.
fn applied(topology: &Topology) -> Observed {
    let mut observed = Observed::nothing(Sight::Management);
    observed.version = Version::parse("4.3.6");
    for exchange in &topology.exchanges {
        let shape = ExchangeShape {
            kind: compare::exchange_type(exchange.kind).to_owned(),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: exchange.arguments.clone(),
        };
        observed.exchanges.insert(exchange.name.clone(), Seen::Whole(shape));
    }
    for queue in &topology.queues {
        let shape = QueueShape {
            kind: compare::queue_type(queue).to_owned(),
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: queue.auto_delete,
            arguments: queue.arguments.clone(),
        };
        observed.queues.insert(queue.name.clone(), holding(shape, 0));
    }
    let binding = |binding: &crate::contract::Binding| Binding {
        exchange: binding.exchange.clone(),
        destination: binding.destination.clone(),
        routing_key: binding.routing_key.clone(),
        arguments: binding.arguments.clone(),
    };
    observed.bindings = Some(topology.bindings.iter().map(binding).collect());
    observed
}

fn holding(shape: QueueShape, messages: u64) -> Queue {
    Queue { shape: Seen::Whole(shape), messages: Some(messages), consumers: Some(0), policy: None }
}

fn shape(observed: &Observed, queue: &str) -> QueueShape {
    match &observed.queues[queue].shape {
        Seen::Whole(shape) => shape.clone(),
        other => panic!("{other:?}"),
    }
}

/// Everything that is not as the contract says, as `thing: state`.
fn news(plan: &Plan<'_>) -> Vec<String> {
    let state = |state: &State| match state {
        State::Same => None,
        State::Different { differences, messages, .. } => {
            let differences: Vec<String> = differences.iter().map(Difference::to_string).collect();
            Some(format!("different, {messages:?}: {}", differences.join("; ")))
        }
        State::Tolerated(found) => Some(format!("tolerated: {}", found[0])),
        State::Mistaken(found) => Some(format!("mistaken: {}", found[0])),
        other => Some(format!("{other:?}").to_lowercase()),
    };
    let item = |item: &Item<'_>| state(&item.state).map(|state| format!("{}: {state}", item.thing));
    plan.items.iter().filter_map(item).collect()
}

/// What a broker that was changed a little has to say.
fn changed(change: impl FnOnce(&mut Observed)) -> (Vec<String>, Vec<String>, Verdict) {
    let topology = topology_of(CONTRACT);
    let mut observed = applied(&topology);
    change(&mut observed);
    let plan = plan(&topology, &observed, PLACE);
    (news(&plan), plan.warnings.clone(), plan.verdict(false))
}

#[test]
fn what_was_applied_needs_nothing() {
    assert_eq!(changed(|_| {}), (vec![], vec![], Verdict::Nothing));
}

#[test]
fn everything_is_created_before_what_leads_to_it() {
    let topology = topology_of(CONTRACT);
    let mut observed = Observed::nothing(Sight::Management);
    let theirs = applied(&topology);
    observed.exchanges.insert("lost".to_owned(), theirs.exchanges["lost"].clone());
    observed.queues.insert("theirs".to_owned(), theirs.queues["theirs"].clone());
    let plan = plan(&topology, &observed, PLACE);
    assert_eq!(plan.verdict(false), Verdict::Changes);
    let changes: Vec<String> = plan.changes(&topology, false).iter().map(Change::to_string).collect();
    let expected = [
        "created exchange `dlx`",
        "created exchange `in`",
        "created exchange `inner`",
        "created queue `dead`",
        "created queue `work`",
        "created wait queue `work-wait-100ms`",
        "created binding `dlx` -> `dead` with `dead`",
        "created binding `inner` -> `work` with `#`",
        "created binding `in` -> `inner` with `task.#`",
        "created binding `in` -> `theirs` with `task.theirs`",
    ];
    assert_eq!(changes[..8], expected[..8]);
    let rest: std::collections::BTreeSet<&str> = changes[8..].iter().map(String::as_str).collect();
    assert_eq!(rest, expected[8..].iter().copied().collect());
}

#[test]
fn differences_are_named_and_block() {
    let (news, _, verdict) = changed(|observed| {
        let mut work = shape(observed, "work");
        work.arguments.insert("x-max-length".to_owned(), json!(5));
        work.arguments.insert("x-delivery-limit".to_owned(), json!(20));
        work.arguments.insert("x-note".to_owned(), json!("old"));
        observed.queues.insert("work".to_owned(), holding(work, 3));
        let inner = ExchangeShape {
            kind: "direct".to_owned(),
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: Map::new(),
        };
        observed.exchanges.insert("inner".to_owned(), Seen::Whole(inner));
    });
    let expected = [
        "exchange `inner`: different, None: `type` is `direct` there, the contract asks for `topic`; \
         `durable` is `false` there, the contract asks for `true`",
        "queue `work`: different, Some(3): `x-delivery-limit` is `20` there, the contract asks for `100`; \
         `x-max-length` is `5` there, the contract asks for not set",
    ];
    assert_eq!(news, expected);
    assert_eq!(verdict, Verdict::Blocked);
}

#[test]
fn what_the_broker_does_not_compare_may_stay() {
    let topology = topology_of("contract: c\nqueues: { q: { type: classic, onPoison: drop } }");
    let mut observed = applied(&topology);
    let mut q = shape(&observed, "q");
    q.arguments = Map::new(); // classic, as RabbitMQ 3 reports it
    observed.queues.insert("q".to_owned(), holding(q.clone(), 0));
    assert_eq!(news(&plan(&topology, &observed, PLACE)), [] as [&str; 0]);
    q.arguments.insert("x-note".to_owned(), json!(1));
    q.arguments.insert("x-delayed-retry-min".to_owned(), json!(1)); // means nothing on a classic queue
    observed.queues.insert("q".to_owned(), holding(q, 0));
    let plan = plan(&topology, &observed, PLACE);
    assert!(news(&plan)[0].contains("tolerated"), "{:?}", news(&plan));
    assert_eq!(plan.verdict(false), Verdict::Nothing);
}

#[test]
fn what_is_somebody_elses_is_theirs_to_create_and_to_change() {
    let (found, _, verdict) = changed(|observed| drop(observed.queues.remove("theirs")));
    assert_eq!(found, ["queue `theirs`: absent"]);
    assert_eq!(verdict, Verdict::Blocked);
    let (found, _, verdict) = changed(|observed| {
        let mut theirs = shape(observed, "theirs");
        "classic".clone_into(&mut theirs.kind);
        theirs.arguments.insert("x-max-length".to_owned(), json!(1));
        observed.queues.insert("theirs".to_owned(), holding(theirs, 0));
    });
    assert_eq!(
        found,
        ["queue `theirs`: mistaken: `x-queue-type` is `classic` there, the contract asks for `quorum`"]
    );
    assert_eq!(verdict, Verdict::Nothing);
}

#[test]
fn a_binding_to_something_blocked_is_left_out() {
    let topology = topology_of(CONTRACT);
    let mut observed = applied(&topology);
    observed.queues.remove("theirs");
    observed.bindings = Some(Vec::new());
    let plan = plan(&topology, &observed, PLACE);
    let bound = plan.changes(&topology, false).len();
    assert_eq!((bound, plan.left_out().len()), (3, 1));
}

#[test]
fn only_bindings_of_our_own_are_extra() {
    let extra = |exchange: &str, destination: Destination| Binding {
        exchange: exchange.to_owned(),
        destination,
        routing_key: "old".to_owned(),
        arguments: Map::new(),
    };
    let queue = |name: &str| Destination::Queue(name.to_owned());
    let exchange = |name: &str| Destination::Exchange(name.to_owned());
    let (news, _, verdict) = changed(|observed| {
        let bindings = observed.bindings.as_mut().unwrap();
        bindings.push(extra("in", queue("work")));
        bindings.push(extra("another", queue("work")));
        bindings.push(extra("in", queue("somebody's")));
        bindings.push(extra("in", queue("theirs")));
        bindings.push(extra("in", exchange("inner")));
        bindings.push(extra("another", exchange("inner")));
        bindings.push(extra("in", exchange("lost")));
    });
    assert_eq!(news.len(), 3, "{news:?}");
    for part in ["`in` -> `work` with `old`", "`another` -> `work` with `old`", "`in` -> `inner` with `old`"]
    {
        assert!(news.iter().any(|news| news.contains(part)), "{part}: {news:?}");
    }
    assert_eq!(verdict, Verdict::Nothing);
}

#[test]
fn only_what_was_made_as_a_wait_queue_of_ours_is_an_orphan() {
    let (news, ..) = changed(|observed| {
        let wait = shape(observed, "work-wait-100ms");
        let mut add = |name: &str, shape: &QueueShape| {
            observed.queues.insert(name.to_owned(), holding(shape.clone(), 2));
        };
        add("work-wait-500ms", &wait);
        add("work-wait-ms", &wait);
        add("work-wait-5s", &wait);
        add("other-wait-500ms", &wait);
        add("theirs-wait-500ms", &wait);
        let mut another = wait.clone();
        another.arguments.insert("x-dead-letter-routing-key".to_owned(), json!("else"));
        add("work-wait-600ms", &another);
    });
    assert_eq!(news, ["wait queue `work-wait-500ms`: extra { messages: some(2), consumers: some(0) }"]);
}

#[test]
fn policies_that_change_what_the_contract_says_are_named() {
    let warned = |queue: &str, definition: Value| {
        let (_, warnings, verdict) = changed(|observed| {
            let definition = definition.as_object().unwrap().clone();
            let policy = Policy { name: "the policy `p`".to_owned(), definition };
            observed.queues.get_mut(queue).unwrap().policy = Some(policy);
        });
        assert_eq!(verdict, Verdict::Nothing);
        warnings
    };
    for (queue, definition, count, part) in [
        ("work", json!({ "message-ttl": 1000 }), 1, "`message-ttl` is `1000`, the contract says nothing"),
        ("work-wait-100ms", json!({ "message-ttl": 50 }), 1, "retries come back sooner"),
        ("work-wait-100ms", json!({ "message-ttl": 60_000 }), 0, ""),
        ("work", json!({ "delivery-limit": 3 }), 1, "the contract says `100`"),
        ("work", json!({ "delivery-limit": 500 }), 0, ""),
        ("work", json!({ "delivery-limit": -1 }), 1, "again and again"),
        ("work", json!({ "overflow": "drop-head", "max-length": 5 }), 2, "can be lost"),
        ("work", json!({ "overflow": "reject-publish" }), 0, ""),
        ("work", json!({ "dead-letter-exchange": "other", "dead-letter-routing-key": "other" }), 0, ""),
        ("dead", json!({ "dead-letter-exchange": "other" }), 1, "`other`"),
        ("dead", json!({ "expires": 60_000 }), 1, "deleted with its messages"),
        ("work", json!({ "delayed-retry-type": "all", "delayed-retry-min": 5 }), 2, "delayed-retry-type"),
        ("work", json!({ "ha-mode": "all", "queue-mode": "lazy" }), 0, ""),
        ("theirs", json!({ "message-ttl": 1 }), 0, ""),
    ] {
        let warnings = warned(queue, definition.clone());
        assert_eq!(warnings.len(), count, "{queue} {definition}: {warnings:?}");
        assert!(count == 0 || warnings.iter().any(|text| text.contains(part)), "{definition}: {warnings:?}");
    }
}

#[test]
fn native_delay_needs_a_broker_that_has_it() {
    let text = "
contract: c
exchanges: { in: { type: direct }, dlx: { type: direct } }
queues:
  work: { deadLetter: { exchange: dlx, routingKey: dead }, retry: { mode: native-delay, initialDelayMs: 100 } }
  dead: {}
bindings: { dead: { exchange: dlx, queue: dead, routingKey: dead } }
messages: { task: { payload: { type: object } } }
commands: { task: { exchange: in, routingKey: task, message: task } }
consumers: { worker: { command: task, queue: work, handler: { component: a.wasm } } }
";
    let topology = topology_of(text);
    let said = |version: Option<&str>| too_old(&topology, version.and_then(Version::parse));
    assert_eq!(said(Some("4.3.0")), [] as [&str; 0]);
    assert!(
        said(Some("3.10.8"))[0].contains("queue `work`")
            && said(Some("3.10.8"))[0].contains("RabbitMQ 3.10.8")
    );
    assert!(said(None)[0].contains("does not say"));
    let mut observed = Observed::nothing(Sight::Management);
    observed.version = Version::parse("4.2.9");
    assert_eq!(plan(&topology, &observed, PLACE).verdict(false), Verdict::Blocked);
}

#[test]
fn steps_name_queues_and_never_delete_what_holds_messages() {
    let topology = topology_of(CONTRACT);
    let find = |name: &str| topology.queues.iter().find(|queue| queue.name == name).unwrap();
    for kind in [Some("quorum"), Some("classic"), None] {
        let steps = migrate::queue(find("work"), kind, PLACE);
        let place = |part: &str| steps.iter().position(|step| step.contains(part)).unwrap();
        assert!(place("set_parameter shovel to-work-moved") < place("delete_queue work"), "{steps:?}");
        let guarded = steps[place("delete_queue work")].contains("--if-empty --if-unused");
        assert_eq!(guarded, kind == Some("classic"), "{steps:?}");
    }
    let wait = migrate::queue(find("work-wait-100ms"), None, PLACE).join("\n");
    assert!(wait.contains("wait until it is empty") && !wait.contains("shovel"), "{wait}");
}
