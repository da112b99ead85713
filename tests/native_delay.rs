//! Retries that the broker delays, which it can from RabbitMQ 4.3, and what is said on older ones.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::broker::{Vhost, broker, management_url};
use crate::support::contract::Worker;
use crate::support::guests::FAILS_TRANSIENTLY;
use crate::support::host::{Host, Project};
use crate::support::letter::Letter;

const CONTRACT: i32 = 78;
/// Retry `n` comes after `n` times 300 ms, and never later than after 700 ms.
const RETRY: &str = "mode: native-delay, maxRetries: 3, initialDelayMs: 300, maxDelayMs: 700";
const DELAYS_MS: [u64; 3] = [300, 600, 700];

fn is_too_old() -> bool {
    broker().version < (4, 3)
}

/// Milliseconds of the day, of an event of the log.
pub(crate) fn time_ms(event: &Value) -> u64 {
    let text = event["timestamp"].as_str().expect("a time");
    let (_, time) = text.split_once('T').expect("a date and a time");
    let mut parts = time.trim_end_matches('Z').split(':').map(|part| part.parse::<f64>().expect("a number"));
    let mut next = || parts.next().expect("hours, minutes, seconds");
    ((next() * 3600.0 + next() * 60.0 + next()) * 1000.0) as u64
}

#[test]
fn the_broker_delays_retries_more_and_more_and_then_the_message_is_dead() {
    if is_too_old() {
        eprintln!("skipped: native-delay needs RabbitMQ 4.3, this is {:?}", broker().version);
        return;
    }
    let vhost = Vhost::fresh("native-delay");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY).retry(RETRY), &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.publish("in", "task", Letter::json("m-2", &json!({ "succeedOn": 3 })));
    let dead = vhost.client.take_one("dead");
    let echo = vhost.client.take_one("echoes");
    let of = |events: Vec<Value>| {
        events.into_iter().filter(|event| event["message_id"] == "m-1").collect::<Vec<Value>>()
    };
    let mut attempts = of(host.events("will be retried"));
    attempts.extend(of(host.events("dead-lettered")));
    host.finish();
    assert_eq!((dead.id().as_str(), dead.integer("x-warren-attempts")), ("m-1", 4));
    assert_eq!(dead.text("x-last-error"), "not yet at attempt 4");
    assert_eq!(dead.text("x-warren-class"), "transient");
    assert_eq!(dead.header("x-death"), None, "the host knows why; the broker would not");
    assert_eq!(echo.json()["attempt"].as_u64(), Some(3));
    let numbers: Vec<Option<u64>> = attempts.iter().map(|event| event["attempt"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(4)]);
    let times: Vec<u64> = attempts.iter().map(time_ms).collect();
    let day = Duration::from_secs(86_400).as_millis() as u64;
    for (pair, delay_ms) in times.windows(2).zip(DELAYS_MS) {
        let took_ms = (pair[1] + day - pair[0]) % day;
        // The clock of the log and the broker's are not read at the same moment.
        assert!(took_ms + 20 >= delay_ms, "after {took_ms} ms, not {delay_ms}: {times:?}");
    }
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_broker_that_cannot_delay_is_refused_before_anything_is_declared() {
    if !is_too_old() {
        eprintln!("skipped: this is RabbitMQ {:?}, which has native-delay", broker().version);
        return;
    }
    let vhost = Vhost::fresh("no-delay");
    let project = Project::new(&Worker::new(FAILS_TRANSIENTLY).retry(RETRY));
    let url = vhost.url();
    let management = ["--management-url", management_url()];
    let commands: [(&[&str], bool); 7] = [
        (&["run", "contract.yaml"], false),
        (&["plan", "contract.yaml"], false),
        (&["plan", "contract.yaml"], true),
        (&["apply", "contract.yaml"], false),
        (&["apply", "contract.yaml"], true),
        (&["apply", "contract.yaml", "--partial"], true),
        (&["publish", "contract.yaml", "task", "-d", "{}"], false),
    ];
    for (arguments, managed) in commands {
        let mut command = project.command(arguments);
        command.args(["--amqp-url", &url]);
        if managed {
            command.args(management);
        }
        let ran = project.spawn(command).finish();
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(CONTRACT), "{arguments:?}: {said}");
        for part in ["queue `work`", "from 4.3", "this is RabbitMQ 3.", "`mode: ttl-backoff`"] {
            assert!(said.contains(part), "{arguments:?}: `{part}` is not in: {said}");
        }
        assert_eq!(vhost.queues(), [] as [&str; 0], "{arguments:?}");
        assert_eq!(vhost.exchange("in"), None, "{arguments:?}");
    }
}
