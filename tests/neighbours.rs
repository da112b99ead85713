//! What a handler loses to one that means harm in the same host: its throughput beside each hostile guest, against alone.
//!
//! Not part of the tests: `make bench-hostile` runs it, on a machine that does nothing else, and keeps what it printed in
//! `tests/hostile/RESULTS.md`, above the remarks there.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::hostile::{End, Hostile, contract, zoo};
use crate::support::broker::Vhost;
use crate::support::forwarder::free_port;
use crate::support::guests::{self, FAILS_PERMANENTLY, SUCCEEDS, TELLS};
use crate::support::host::Project;
use crate::support::letter::Letter;
use crate::support::{SOON, eventually, get, value};

/// Messages of the innocent handler in one run.
const MESSAGES: usize = 60_000;
/// Runs of each kind, one after the other.
const ROUNDS: usize = 3;
/// How often a message for the hostile handler comes.
const EVERY: Duration = Duration::from_millis(10);
/// What has to be left.
const RATIO_MIN: f64 = 0.7;

/// Handles the messages, alone or beside messages for the hostile one. Gives messages a second.
fn run(project: &Project, name: &str, beside: bool) -> f64 {
    let vhost = Vhost::fresh("neighbours");
    let port = free_port();
    let admin = ["--admin", &format!("127.0.0.1:{port}")];
    // Declares everything, so that the messages are there before the host that is measured.
    project.start_with(&vhost.url(), &admin).finish();
    for batch in 0..MESSAGES / 1_000 {
        let letters = (0..1_000).map(|n| Letter::json(&format!("m-{batch}-{n}"), &json!({ "n": n })));
        vhost.client.publish_all("in", "task", letters.collect());
    }
    vhost.client.until_ready("innocent", u32::try_from(MESSAGES).expect("a small number"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let harm = scope.spawn(|| {
            let wanted = |_: &usize| beside && !over.load(Ordering::Relaxed);
            let letter = |n| Letter::json(&format!("h-{n}"), &json!({}));
            vhost.client.publish_each(EVERY, "in", "harm", (0..).take_while(wanted).map(letter));
        });
        let host = project.start_with(&vhost.url(), &admin);
        let began = Instant::now();
        let handled = "warren_guest_calls_total{consumer=\"innocent\",outcome=\"handled\"}";
        eventually("all messages are handled", SOON, || {
            (value(&get(port, "/metrics"), handled) >= MESSAGES as i64).then_some(())
        });
        let took = began.elapsed();
        assert_eq!(host.events("ready").len(), 1, "{name}: the connection was lost");
        over.store(true, Ordering::Relaxed);
        harm.join().expect("messages are published");
        host.kill9();
        MESSAGES as f64 / took.as_secs_f64()
    })
}

/// What stands beside the innocent handler.
struct Neighbour {
    name: String,
    contract: String,
    component: Vec<u8>,
    /// The contract lets it have the host hold more than usual: what that costs others is measured, and not held against it.
    may: bool,
}

/// Two that mean no harm, to tell what messages for another handler cost in any case; then all that do.
fn neighbours() -> Vec<Neighbour> {
    let consume = |handler: &str| contract(handler, "fresh").replace(&TELLS.file(), &SUCCEEDS.file());
    let harmless = [("(no harm) succeeds", SUCCEEDS), ("(no harm) fails-permanently", FAILS_PERMANENTLY)];
    let harmless = harmless.map(|(name, guest)| Neighbour {
        name: name.to_owned(),
        contract: consume("deadlineMs: 60000"),
        component: std::fs::read(guest.component()).expect("a component"),
        may: false,
    });
    let hostile = zoo().into_iter().filter(|hostile| !matches!(hostile.end, End::Refused(_)));
    let hostile = hostile.map(|Hostile { name, handler, .. }| Neighbour {
        contract: consume(&handler),
        component: guests::hostile_component(&name),
        may: handler.contains("hostCallMiB"),
        name,
    });
    harmless.into_iter().chain(hostile).collect()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

#[test]
#[ignore = "a measurement: `make bench-hostile`"]
fn an_innocent_handler_keeps_its_throughput_beside_each_hostile_guest() {
    let mut report = format!(
        "# What a handler loses to a hostile one beside it\n\n`make bench-hostile`: {MESSAGES} messages of an innocent handler that wait in its queue, alone and while a message for the hostile handler comes each {} ms; medians of {ROUNDS} rounds, sides interleaved, RabbitMQ on the same two cores.\n\n| hostile guest | alone, msg/s | beside it, msg/s | ratio |\n|---|---|---|---|\n",
        EVERY.as_millis()
    );
    let (mut short, mut allowed) = (Vec::new(), Vec::new());
    let only = std::env::var("ONLY").unwrap_or_default();
    for Neighbour { name, contract, component, may } in neighbours() {
        if !name.contains(&only) {
            continue;
        }
        let project = Project::new(&contract);
        project.write("hostile.wasm", component);
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(run(&project, &name, false));
            beside.push(run(&project, &name, true));
        }
        let (alone, beside) = (median(alone), median(beside));
        let ratio = beside / alone;
        let line = format!("| {name} | {alone:.0} | {beside:.0} | {ratio:.2} |");
        println!("{line}");
        writeln!(report, "{line}").expect("a string");
        if ratio < RATIO_MIN {
            if may { &mut allowed } else { &mut short }.push(name);
        }
        keep(&only, &report); // also if it is broken off
    }
    let names = |of: &[String]| if of.is_empty() { "none".to_owned() } else { of.join(", ") };
    let (below, by_leave) = (names(&short), names(&allowed));
    writeln!(report, "\nBelow {RATIO_MIN}: {below}. By leave of the contract (`hostCallMiB`): {by_leave}.")
        .expect("a string");
    println!("{report}");
    keep(&only, &report);
    assert!(short.is_empty(), "{short:?}");
}

/// Writes the results, unless only some were measured. Remarks, from their heading on, stay.
fn keep(only: &str, report: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/hostile/RESULTS.md");
    if only.is_empty() {
        let before = std::fs::read_to_string(path).unwrap_or_default();
        let remarks = before.find("\n## ").map_or("", |at| &before[at..]);
        std::fs::write(path, format!("{report}{remarks}")).expect("the results are kept");
    }
}
