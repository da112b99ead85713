//! What the tests stand on: the real broker (`broker`, `node`, `client`), a network that can fail (`forwarder`), the real
//! binary in a folder with a contract (`contract`, `host`), the test guests (`guests`, `foreign`), TLS (`tls`), and a
//! server for their requests (`server`).

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod contract;
pub(crate) mod foreign;
pub(crate) mod forwarder;
pub(crate) mod guests;
pub(crate) mod host;
pub(crate) mod letter;
pub(crate) mod node;
pub(crate) mod server;
pub(crate) mod tls;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// How long anything may take that should happen soon. Generous: other tests run beside, on few cores.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long to wait before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks again and again until `look` gives something; fails after `limit`. No test waits any other way.
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not within {} s: {what}", limit.as_secs());
        pause(LOOK_AGAIN);
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are threads of their own, and block no runtime")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The runtime that the tests' own AMQP connections live on.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("tests").enable_all().build().expect("a runtime")
    })
}

/// Awaits in a test.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// The answer of the host's own HTTP server.
pub(crate) fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the host listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// A number among the metrics, by its name with its labels; 0 if it is not there.
pub(crate) fn value(metrics: &str, name: &str) -> i64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

/// Waits until a consumer's handler has been called so often with this outcome.
pub(crate) fn until_called(port: u16, consumer: &str, outcome: &str, times: i64) {
    let name = format!("warren_guest_calls_total{{consumer=\"{consumer}\",outcome=\"{outcome}\"}}");
    eventually(&format!("{name} {times}"), SOON, || {
        (value(&get(port, "/metrics"), &name) >= times).then_some(())
    });
}
