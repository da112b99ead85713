//! A thousand messages that wait at once: what that takes in threads and memory, and how many go through. Prints the
//! figures; `WARREN_TEST_MESSAGES` makes it longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::{USES_HTTP, USES_KEY_VALUE};
use crate::support::host::Project;
use crate::support::letter::Letter;
use crate::support::{eventually, runtime, wait};

const WAIT: Duration = Duration::from_millis(100);
const IN_FLIGHT: usize = 1_000;
const MESSAGES: usize = 5_000;
const MIB: usize = 1024;

#[derive(Debug, Default)]
struct Seen {
    waiting: AtomicUsize,
    most: AtomicUsize,
    answered: AtomicUsize,
}

/// Answers each request after a while.
fn serve(seen: &Arc<Seen>) -> u16 {
    let listener = wait(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Arc::clone(seen);
    runtime().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            runtime().spawn(answer(stream, Arc::clone(&seen)));
        }
    });
    port
}

async fn answer(mut stream: TcpStream, seen: Arc<Seen>) {
    let mut request = [0; 4096];
    while let Ok(1..) = stream.read(&mut request).await {
        let waiting = seen.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        seen.most.fetch_max(waiting, Ordering::Relaxed);
        tokio::time::sleep(WAIT).await;
        // On a slow machine the first would be answered before the last has come: they wait for each other, once.
        while seen.most.load(Ordering::Relaxed) < IN_FLIGHT {
            tokio::time::sleep(WAIT).await;
        }
        seen.waiting.fetch_sub(1, Ordering::Relaxed);
        seen.answered.fetch_add(1, Ordering::Relaxed);
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}

#[test]
fn a_thousand_messages_wait_at_once_on_few_threads_and_in_little_memory() {
    let messages: usize =
        std::env::var("WARREN_TEST_MESSAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(MESSAGES);
    let seen = Arc::new(Seen::default());
    let port = serve(&seen);
    let vhost = Vhost::fresh("io-bound");
    let worker = Worker::new(USES_HTTP).message("maxBodyBytes: 1024").handler(&format!("deadlineMs: 60000, concurrency: {IN_FLIGHT}")).consumer(
        &format!("prefetch: 2000, capabilities: {{ http: [{{ origin: \"http://127.0.0.1:{port}\", allowPrivate: true }}] }}"),
    );
    let project = Project::new(&worker);
    // Makes the queue, so that all messages wait there when the host begins.
    project.start(&vhost).finish();
    let task = json!({ "requests": [{ "url": format!("http://127.0.0.1:{port}/") }], "quiet": true });
    let letters = (0..messages).map(|index| Letter::json(&format!("m-{index}"), &task)).collect();
    vhost.client.publish_all("in", "task", letters);
    let host = project.start(&vhost);
    let began = Instant::now();
    let mut threads = 0;
    eventually("all have been answered", Duration::from_secs(300), || {
        threads = threads.max(host.status("Threads"));
        (seen.answered.load(Ordering::Relaxed) >= messages).then_some(())
    });
    let took = began.elapsed();
    eventually("all are acknowledged", Duration::from_secs(60), || {
        vhost.leftovers().is_empty().then_some(())
    });
    let (peak_kib, most) = (host.status("VmHWM"), seen.most.load(Ordering::Relaxed));
    eprintln!(
        "{messages} messages, each waiting {} ms: {:.0} a second, {most} at once at most, {} us of CPU each, {threads} threads, {} MiB at most",
        WAIT.as_millis(),
        messages as f64 / took.as_secs_f64(),
        host.cpu_ms() * 1000 / messages,
        peak_kib / MIB,
    );
    host.finish();
    assert_eq!(most, IN_FLIGHT, "waited at once");
    assert!(threads < 100, "{threads} threads");
    assert!(peak_kib < 1024 * MIB, "{peak_kib} KiB");
}

#[test]
fn writes_to_stores_share_the_confirmation_of_the_disk() {
    let messages: usize =
        std::env::var("WARREN_TEST_MESSAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000);
    for concurrency in [1, 16, 200] {
        let vhost = Vhost::fresh("commits");
        let consumer = "capabilities: { keyValue: [seen] }";
        let worker = Worker::new(USES_KEY_VALUE)
            .message("maxBodyBytes: 1024")
            .handler(&format!("deadlineMs: 60000, concurrency: {concurrency}"))
            .consumer(consumer);
        let project = Project::new(&worker);
        project.start(&vhost).finish();
        let letter = |index: usize| {
            let task = json!({ "store": "seen", "steps": [["set", format!("m-{index}"), "1"]] });
            Letter::json(&format!("m-{index}"), &task)
        };
        vhost.client.publish_all("in", "task", (0..messages).map(letter).collect());
        let host = project.start(&vhost);
        let began = Instant::now();
        vhost.client.until_ready("echoes", u32::try_from(messages).expect("not so many"));
        let rate = messages as f64 / began.elapsed().as_secs_f64();
        eprintln!("{messages} messages that each write one key, {concurrency} at once: {rate:.0} a second");
        host.finish();
    }
}
