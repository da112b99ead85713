//! Uses files by the bare interface of WASI, where no library makes paths look better than they are. Publishes what came
//! of each step through `echoed`.
//!
//! `{"steps": [["read", "/at", "path"], ["write", "/at", "path", "text"], ["rename", "/at", "old", "/at2", "new"]]}`

use behaviours::files;
use warren_guest::{Result, handler, json, publish};

#[derive(serde::Deserialize)]
struct Task {
    steps: Vec<Vec<String>>,
}

fn use_files(task: Task) -> Result {
    let told: Vec<String> = task.steps.iter().map(|step| files::step(step)).collect();
    publish("echoed", &json!({ "seen": files::seen(), "steps": told }))?;
    Ok(())
}
handler!(use_files);
