//! Reads configuration: `{"get": ["KEY"]}` publishes the values through `echoed`, `{"say": "KEY", "how": ".."}` tells the
//! value in the way given: `log`, `field`, `stderr`, `fail`, `panic`.

use warren_guest::{Failure, Result, config, handler, info, json, publish};

#[derive(serde::Deserialize)]
struct Task {
    #[serde(default)]
    get: Vec<String>,
    say: Option<String>,
    #[serde(default)]
    how: String,
}

fn use_config(task: Task) -> Result {
    let Some(say) = task.say else {
        let values: Vec<Option<String>> = task.get.iter().map(|key| config::get(key)).collect();
        let keys = config::all().len();
        publish("echoed", &json!({ "values": values, "keys": keys }))?;
        return Ok(());
    };
    let value = config::require(&say)?;
    match task.how.as_str() {
        "log" => info!("the value is {value} indeed"),
        "field" => info!("the value"; "value" => value),
        "stderr" => eprintln!("the value is {value} indeed"),
        "fail" => return Err(Failure::permanent(format_args!("refused with {value}"))),
        _ => panic!("panicked with {value}"),
    }
    Ok(())
}
handler!(use_config);
