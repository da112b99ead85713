//! A thousand messages in flight that each wait 100 ms for an answer of HTTP. Who answers is a process of its own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::throughput::{Case, compare};
use crate::bench::Bench;
use crate::measure::{Body, Task};
use crate::results::Results;
use crate::sides::contract::Contract;
use crate::sides::{FRESH, REUSE};
use crate::titles::IO_BOUND;

const WAIT: Duration = Duration::from_millis(100);
const IN_FLIGHT: u16 = 1_000;

pub(crate) async fn run(bench: &Bench, results: &mut Results) -> Result<()> {
    let (server, port) = start().await?;
    let origin = format!("http://127.0.0.1:{port}");
    let contract = Contract {
        guest: "uses_http",
        prefetch: 2 * IN_FLIGHT,
        concurrency: IN_FLIGHT,
        schema: json!({ "type": "object" }),
        body_bytes_max: 1024,
        capabilities: json!({ "http": [{ "origin": origin, "allowPrivate": true }] }),
        ..Contract::orders(bench)?
    };
    let body = json!({ "requests": [{ "url": format!("{origin}/") }], "quiet": true });
    let body = Body::Same(serde_json::to_vec(&body)?);
    let task = Task { contract, messages: bench.messages, body };
    compare(bench, results, vec![Case { title: IO_BOUND.to_owned(), task, sides: vec![FRESH, REUSE] }])
        .await?;
    drop(server);
    Ok(())
}

/// Starts this program as a server; it ends when what is returned is dropped.
async fn start() -> Result<(Child, u16)> {
    let program = std::env::current_exe().context("this program is not found")?;
    let mut command = Command::new(program);
    let mut child = command.arg("answer").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let port = lines.next_line().await?.context("the server does not start")?.parse()?;
    Ok((child, port))
}

/// Answers every request after a while, until it is killed. Prints its port.
pub(crate) async fn answer() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.spawn(answer_all(stream));
    }
}

async fn answer_all(mut stream: TcpStream) {
    stream.set_nodelay(true).ok();
    let mut request = [0; 4096];
    while let Ok(1..) = stream.read(&mut request).await {
        tokio::time::sleep(WAIT).await;
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}
