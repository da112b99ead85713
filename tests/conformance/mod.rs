//! The template of every language does the same: the same table of messages has the same outcomes, publishes and logs,
//! with a new instance for each message and after 100,000 calls of the same instances.
//!
//! `table.json` has the messages. The components come from `make languages`; a language whose component is not there is
//! skipped, or fails where `WARREN_TEST_LANGUAGES=required`.

mod checks;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::broker::Vhost;
use crate::support::eventually;
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter};

use table::Row;

/// How long the whole table may take: busy handlers are tried again after two seconds.
const TABLE_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take until a host is ready: Python takes a while to compile, and others are at work.
const READY_LIMIT: Duration = Duration::from_secs(300);
/// How often instances are called before the table is run on them; `WARREN_CONFORMANCE_CALLS` says otherwise.
const CALLS: usize = 100_000;
/// Calls at the same time, and so instances.
const CONCURRENCY: usize = 4;

macro_rules! languages {
    ($($language:ident = $component:literal,)*) => {$(
        mod $language {
            #[test]
            fn a_new_instance_for_each_message_conforms() {
                super::fresh(stringify!($language), $component);
            }

            #[test]
            fn instances_that_were_called_100_000_times_conform() {
                super::reused(stringify!($language), $component);
            }
        }
    )*};
}

// The folder of the language under `guests`, and the component.
languages! {
    rust = "rust/template",
    javascript = "javascript/template",
    typescript = "javascript/template-typescript",
    python = "python/template",
    c = "c/template",
    go = "go/template",
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("languages")
}

/// Where `make languages` puts a component. None: it is not there, and does not have to be.
fn component(language: &str, component: &str) -> Option<PathBuf> {
    let path = folder().join(format!("{component}.wasm"));
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("WARREN_TEST_LANGUAGES").is_ok_and(|value| value == "required");
    assert!(!required, "there is no {}; hint: make languages", path.display());
    eprintln!("skipped: {language}, because there is no {}; hint: make languages", path.display());
    None
}

/// A consumer of `language`'s template, with the publisher that it is granted and the one that it is not.
fn contract(isolation: &str) -> String {
    format!(
        "contract: conformance
version: 1.0.0
exchanges:
  in: {{ type: direct }}
  out: {{ type: direct }}
  dlx: {{ type: direct }}
queues:
  work:
    deadLetter: {{ exchange: dlx, routingKey: dead }}
    retry: {{ mode: ttl-backoff, maxRetries: 1, initialDelayMs: 50, maxDelayMs: 2000, jitter: false }}
  accepted: {{}}
  audit: {{}}
  dead: {{}}
bindings:
  accepted: {{ exchange: out, queue: accepted, routingKey: accepted }}
  audit: {{ exchange: out, queue: audit, routingKey: audit }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages:
  # Not JSON for the host, so that the handler is what reads it.
  order: {{ payload: {{}}, contentType: application/octet-stream }}
  accepted:
    payload:
      type: object
      required: [orderId, amount, customer, attempt]
      properties:
        orderId: {{ type: string }}
        amount: {{ type: integer, minimum: 1 }}
        customer: {{ type: string }}
        attempt: {{ type: integer, minimum: 1 }}
        note: {{ type: string }}
      additionalProperties: false
  audit: {{ payload: {{ type: object }} }}
commands:
  order: {{ exchange: in, routingKey: task, message: order }}
publishers:
  orderAccepted: {{ exchange: out, routingKey: accepted, message: accepted, externalConsumers: true }}
  auditTrail: {{ exchange: out, routingKey: audit, message: audit, externalConsumers: true }}
consumers:
  worker:
    command: order
    queue: work
    publishes: [orderAccepted]
    handler:
      component: handler.wasm
      deadlineMs: 60000
      concurrency: {CONCURRENCY}
      {isolation}
"
    )
}

fn start(vhost: &Vhost, component: &Path, isolation: &str) -> Host {
    let project = Project::new(&contract(isolation));
    std::fs::copy(component, project.path("handler.wasm")).expect("a component");
    launch(&project, vhost)
}

/// Starts a host that logs everything, and waits until it is ready.
fn launch(project: &Project, vhost: &Vhost) -> Host {
    let host =
        project.launch(&vhost.url(), &["--log", "warn,warren=debug,guest=debug", "--admin", "127.0.0.1:0"]);
    host.until_ready_within(1, READY_LIMIT);
    host
}

fn fresh(language: &str, file: &str) {
    let Some(component) = component(language, file) else { return };
    let vhost = Vhost::fresh(&format!("conformance-{language}"));
    let host = start(&vhost, &component, "isolation: fresh");
    run_table(&vhost, &host);
    host.finish();
    assert_eq!(vhost.leftovers(), BTreeMap::new());
}

fn reused(language: &str, file: &str) {
    let Some(component) = component(language, file) else { return };
    let calls = std::env::var("WARREN_CONFORMANCE_CALLS").ok().and_then(|calls| calls.parse().ok());
    let vhost = Vhost::fresh(&format!("reused-{language}"));
    let host = start(
        &vhost,
        &component,
        "isolation: reuse\n      reuse: { maxCalls: 1000000000, maxAgeMs: 4294967295 }",
    );
    load(&vhost, calls.unwrap_or(CALLS));
    // Nothing but the first instances of all: none grew beyond the bound of the contract, 16 MiB, and none was lost.
    let instances = metric(&host, "warren_guest_instances_total");
    assert!(instances >= 1.0 && instances <= CONCURRENCY as f64, "{instances} instances were made");
    assert_eq!(metric(&host, "warren_guest_instances_retired_total"), 0.0);
    run_table(&vhost, &host);
    // What the table takes out of use are those that trap.
    let traps = table::rows().iter().map(Row::traps).sum::<usize>() as f64;
    assert_eq!(metric(&host, "warren_guest_instances_retired_total"), traps);
    host.finish();
    assert_eq!(vhost.leftovers(), BTreeMap::new());
}

/// Has `calls` orders handled, each with an amount and a tenant of its own, and looks at what is published of them.
fn load(vhost: &Vhost, calls: usize) {
    const BATCH: usize = 5_000;
    let mut seen = 0;
    while seen < calls {
        let batch = seen..calls.min(seen + BATCH);
        let order = |n: usize| {
            let body = json!({ "orderId": format!("load-{n}"), "amount": n + 1, "customer": "ada", "note": "é".repeat(n % 300) });
            let letter =
                Letter::raw(body.to_string()).with(|all| all.with_message_id(format!("load-{n}").into()));
            letter.header("tenant", table::text(&format!("tenant-{n}")))
        };
        vhost.client.publish_all("in", "task", batch.clone().map(order).collect());
        let mut left = batch.len();
        let published = vhost.client.take_until("accepted", |_| {
            left -= 1;
            left == 0
        });
        let mut orders = BTreeSet::new();
        for message in &published {
            let body = message.json();
            let n = usize::try_from(body["amount"].as_u64().expect("an amount") - 1).expect("small");
            let note = "é".repeat(n % 300);
            let expected = json!({ "orderId": format!("load-{n}"), "amount": n + 1, "customer": "ada", "attempt": 1, "note": note });
            assert_eq!(body, expected);
            assert_eq!(message.text("tenant"), format!("tenant-{n}"));
            assert_eq!(message.id(), derived_id(&format!("load-{n}")));
            orders.insert(n);
        }
        assert_eq!(orders, batch.clone().collect());
        seen = batch.end;
    }
}

/// The message id that an output of the template has.
fn derived_id(input: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("warren:{input}\0orderAccepted\00").as_bytes()).to_string()
}

/// The sum of a counter over its labels.
fn metric(host: &Host, name: &str) -> f64 {
    let address =
        host.events("serving health and metrics")[0]["address"].as_str().expect("an address").to_owned();
    let mut response = ureq::get(format!("http://{address}/metrics")).call().expect("metrics");
    let text = response.body_mut().read_to_string().expect("metrics");
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Publishes every row at once, waits for what becomes of them, and compares.
fn run_table(vhost: &Vhost, host: &Host) {
    let rows = table::rows();
    let since = host.log_bytes();
    let letters = rows.iter().flat_map(|row| std::iter::repeat_n(row.letter(), row.copies)).collect();
    vhost.client.publish_all("in", "task", letters);
    let messages: usize = rows.iter().map(|row| row.copies).sum();
    let events = eventually("the table is through", TABLE_LIMIT, || {
        let events = host.events_after(since);
        let ended = |event: &&Value| matches!(event["message"].as_str(), Some("handled" | "dead-lettered"));
        (events.iter().filter(ended).count() >= messages).then_some(events)
    });
    let accepted: usize = rows.iter().filter(|row| row.published.is_some()).map(|row| row.copies).sum();
    let published = vhost.client.take("accepted", accepted);
    let dead = vhost.client.take("dead", messages - accepted);
    assert_eq!((published.len(), dead.len()), (accepted, messages - accepted));
    let wrong: Vec<String> =
        rows.iter().flat_map(|row| row.faults(&events, &of(&published, row), &of(&dead, row))).collect();
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The messages that came of a row.
fn of<'a>(messages: &'a [Got], row: &Row) -> Vec<&'a Got> {
    let from = |message: &&Got| {
        message.id() == row.name || message.header("x-causation-id") == Some(&table::text(&row.name))
    };
    messages.iter().filter(from).collect()
}
