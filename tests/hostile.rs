//! Guests that mean harm. Each gets exactly the end it must get, and a handler beside it in the same host handles all
//! its messages meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::broker::Vhost;
use crate::support::forwarder::free_port;
use crate::support::guests::{self, TELLS};
use crate::support::host::Project;
use crate::support::letter::Letter;
use crate::support::{SOON, eventually, until_called};

/// How many messages the handler beside it has to handle.
const INNOCENT: usize = 200;

/// A guest, and what has to come of it.
#[derive(Debug)]
pub(crate) struct Hostile {
    pub(crate) name: String,
    /// Keys of `handler` beside the component.
    pub(crate) handler: String,
    pub(crate) end: End,
}

#[derive(Debug)]
pub(crate) enum End {
    /// The message is handled, and so many are published.
    Handled(usize),
    /// The message is dead-lettered with this class, and an error that contains this text.
    Dead(String, String),
    /// `warren run` refuses the component, with this text.
    Refused(String),
}

/// All that `guests/hostile` makes.
pub(crate) fn zoo() -> Vec<Hostile> {
    let table = std::fs::read_to_string(guests::hostile().join("hostile.tsv")).expect("the table");
    let hostile = |line: &str| {
        let [name, handler, end, what, says] =
            line.split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().expect("five fields");
        let end = match end.as_str() {
            "handled" => End::Handled(what.parse().expect("a number")),
            "dead" => End::Dead(what, says),
            _ => End::Refused(says),
        };
        Hostile { name, handler, end }
    };
    let zoo: Vec<Hostile> = table.lines().map(hostile).collect();
    assert!(zoo.len() >= 40, "{} guests", zoo.len());
    zoo
}

/// Both consumers; `handler` are keys of the hostile one's.
pub(crate) fn contract(handler: &str, isolation: &str) -> String {
    let innocent = TELLS.file();
    format!(
        "contract: hostile
exchanges: {{ in: {{ type: direct }}, out: {{ type: direct }}, dlx: {{ type: direct }} }}
queues:
  hostile: {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ mode: none }} }}
  innocent: {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ mode: none }} }}
  echoes: {{}}
  told: {{}}
  dead: {{}}
bindings:
  told: {{ exchange: out, queue: told, routingKey: told }}
  echoes: {{ exchange: out, queue: echoes, routingKey: echoed }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages: {{ task: {{ payload: {{ type: object }} }} }}
commands:
  harm: {{ exchange: in, routingKey: harm, message: task }}
  task: {{ exchange: in, routingKey: task, message: task }}
events:
  echoed: {{ exchange: out, routingKey: echoed, message: task }}
  alsoEchoed: {{ exchange: out, routingKey: told, message: task }}
consumers:
  hostile: {{ command: harm, queue: hostile, handler: {{ component: hostile.wasm, isolation: {isolation}, {handler} }}, publishes: [echoed] }}
  innocent: {{ command: task, queue: innocent, handler: {{ component: handlers/{innocent}, deadlineMs: 60000 }}, publishes: [alsoEchoed] }}
"
    )
}

/// Runs a hostile guest beside an innocent one, three messages against two hundred.
fn meets_its_end(hostile: &Hostile, isolation: &str) {
    let project = Project::new(&contract(&hostile.handler, isolation));
    project.write("hostile.wasm", guests::hostile_component(&hostile.name));
    if let End::Refused(says) = &hostile.end {
        let check = project.run(&["check", "contract.yaml"]);
        assert_eq!(check.code, Some(78), "{}: {}", hostile.name, check.stderr);
        assert!(check.stderr.contains(says), "{}: {}", hostile.name, check.stderr);
        assert!(check.stderr.contains("contract.yaml:"), "{}: {}", hostile.name, check.stderr);
        return;
    }
    let vhost = Vhost::fresh(&hostile.name);
    let port = free_port();
    let host = project.start_with(&vhost.url(), &["--admin", &format!("127.0.0.1:{port}")]);
    let letters = |count: usize| (0..count).map(|n| Letter::json(&format!("m-{n}"), &json!({ "n": n })));
    vhost.client.publish_all("in", "harm", letters(3).collect());
    vhost.client.publish_all("in", "task", letters(INNOCENT).collect());
    vhost.client.take("told", INNOCENT);
    match &hostile.end {
        End::Handled(published) => {
            until_called(port, "hostile", "handled", 3);
            assert_eq!(vhost.client.take("echoes", published * 3).len(), published * 3, "{}", hostile.name);
        }
        End::Dead(class, says) => {
            for dead in vhost.client.take("dead", 3) {
                let is = (dead.text("x-warren-class"), dead.text("x-last-error"));
                assert!(is.0 == *class && is.1.contains(says), "{}: {is:?}", hostile.name);
                assert_eq!(dead.text("x-warren-consumer"), "hostile");
            }
        }
        End::Refused(_) => {}
    }
    assert!(host.log_bytes() < 2_000_000, "{}: the log has {} bytes", hostile.name, host.log_bytes());
    assert_eq!(host.events("ready").len(), 1, "{}: the connection was lost", hostile.name);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into(), "{}", hostile.name);
}

#[test]
fn every_hostile_guest_meets_its_end_and_harms_nobody() {
    for hostile in &zoo() {
        meets_its_end(hostile, "fresh");
    }
}

#[test]
fn and_so_it_does_where_instances_are_reused() {
    for hostile in zoo().iter().filter(|hostile| !matches!(hostile.end, End::Refused(_))) {
        meets_its_end(hostile, "reuse");
    }
}

#[test]
fn a_spinning_guest_is_stopped_on_time() {
    let zoo = zoo();
    let hostile = zoo.iter().find(|hostile| hostile.name == "loops").expect("it is there");
    let project = Project::new(&contract(&hostile.handler, "fresh"));
    project.write("hostile.wasm", guests::hostile_component(&hostile.name));
    let vhost = Vhost::fresh("on-time");
    let host = project.start(&vhost);
    for n in 0..10 {
        vhost.client.publish("in", "harm", Letter::json(&format!("m-{n}"), &json!({})));
        vhost.client.take_one("dead");
    }
    // From the call to its end, by the host's clock.
    let ends = eventually("all are logged", SOON, || {
        Some(host.events("dead-lettered")).filter(|ends| ends.len() == 10)
    });
    host.finish();
    let mut took: Vec<u64> =
        ends.iter().map(|end| end["duration_ms"].as_u64().expect("milliseconds")).collect();
    took.sort();
    eprintln!("a deadline of 300 ms stopped it after {took:?} ms");
    // Other tests take their part of the processors meanwhile.
    assert!(took[0] >= 300 && took[took.len() / 2] <= 320, "{took:?}");
}

#[test]
fn a_component_that_is_too_hard_to_compile_is_refused() {
    let zoo = zoo();
    let project = Project::new(&contract(&zoo[0].handler, "fresh"));
    project.write("hostile.wasm", guests::hostile_component("bomb"));
    for bound in ["--compile-seconds=1", "--compile-memory-mib=64"] {
        let began = Instant::now();
        let check = project.run(&["check", "contract.yaml", bound]);
        assert_eq!(check.code, Some(78), "{}", check.stderr);
        assert!(check.stderr.contains("cannot be compiled within bounds"), "{bound}: {}", check.stderr);
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}
