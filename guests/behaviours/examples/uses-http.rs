//! Makes requests, one after the other, and publishes what came of them through `echoed`.
//!
//! `{"requests": [{"method": "GET", "url": "http://..", "authority": "other", "headers": [["name", "value"]], "body": ".."}]}`

use warren_guest::http::{HttpError, Request};
use warren_guest::{Failure, Result, handler, json, publish, serde_json::Value};

#[derive(serde::Deserialize)]
struct Task {
    requests: Vec<Wanted>,
    /// Only how many answers there were is published.
    #[serde(default)]
    count: bool,
    /// Nothing is published; anything but the status 200 is a failure.
    #[serde(default)]
    quiet: bool,
}

#[derive(serde::Deserialize)]
struct Wanted {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

fn get() -> String {
    "GET".to_owned()
}

fn answer(wanted: Wanted) -> Value {
    let mut request = Request::new(&wanted.method, &wanted.url).body(wanted.body);
    for (name, value) in wanted.headers {
        request = request.header(&name, value);
    }
    match request.send() {
        Ok(answer) => json!({
            "status": answer.status,
            "location": answer.header("location"),
            "length": answer.body.len(),
            "body": String::from_utf8_lossy(&answer.body[..answer.body.len().min(1000)]),
        }),
        Err(HttpError::Failed(code)) => json!({ "error": format!("{code:?}") }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn use_http(task: Task) -> Result {
    let answers: Vec<Value> = task.requests.into_iter().map(answer).collect();
    let answered = answers.iter().filter(|answer| answer["status"] == 200).count();
    if task.quiet {
        let failed = answers.iter().find(|answer| answer["status"] != 200);
        return failed.map_or(Ok(()), |answer| Err(Failure::transient(answer)));
    }
    let told = if task.count { json!({ "answered": answered }) } else { json!({ "answers": answers }) };
    publish("echoed", &told)?;
    Ok(())
}
handler!(use_http);
