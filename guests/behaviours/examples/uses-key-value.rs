//! Uses a key-value store, step by step, and publishes what came of each step through `echoed`; then succeeds, fails or
//! traps.
//!
//! `{"store": "s", "steps": [["get", "k"], ["set", "k", "v"], ["increment", "k", "2"]], "then": "fail"}`

use warren_guest::key_value::{Store, StoreError};
use warren_guest::{Failure, Result, handler, json, publish, serde_json::Value};

#[derive(serde::Deserialize)]
struct Task {
    store: String,
    steps: Vec<Vec<String>>,
    #[serde(default)]
    then: String,
    /// How long to wait after the steps, in milliseconds: for others to write.
    #[serde(default)]
    wait_ms: u64,
}

fn step(store: &Store, step: &[String]) -> std::result::Result<Value, StoreError> {
    let step: Vec<&str> = step.iter().map(String::as_str).collect();
    Ok(match step[..] {
        ["get", key] => store.get(key)?.map(|value| String::from_utf8_lossy(&value).into_owned()).into(),
        ["set", key, value] => {
            store.set(key, value)?;
            Value::Null
        }
        ["fill", key, bytes] => {
            store.set(key, vec![b'x'; bytes.parse().unwrap_or(0)])?;
            Value::Null
        }
        ["delete", key] => {
            store.delete(key)?;
            Value::Null
        }
        ["exists", key] => store.exists(key)?.into(),
        ["increment", key, delta] => store.increment(key, delta.parse().unwrap_or(1))?.into(),
        ["keys"] => {
            let mut keys = Vec::new();
            store.keys(|key| keys.push(key))?;
            keys.into()
        }
        ["keys", "count"] => {
            let mut count = 0;
            store.keys(|_| count += 1)?;
            count.into()
        }
        _ => Value::from("no such step"),
    })
}

fn use_key_value(task: Task) -> Result {
    let mut told = Vec::new();
    match Store::open(&task.store) {
        Ok(store) => {
            for wanted in &task.steps {
                told.push(step(&store, wanted).unwrap_or_else(|error| json!({ "error": error.to_string() })));
            }
        }
        Err(error) => told.push(json!({ "error": format!("{error:?}") })),
    }
    std::thread::sleep(std::time::Duration::from_millis(task.wait_ms));
    publish("echoed", &json!({ "steps": told }))?;
    match task.then.as_str() {
        "fail" => Err(Failure::permanent("as asked")),
        "trap" => panic!("as asked"),
        _ => Ok(()),
    }
}
handler!(use_key_value);
