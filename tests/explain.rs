//! `warren explain`: what it exits with. What it says is in the goldens of `host/src/explain`, and that this is where
//! messages go, in `routing`.

use serde_json::Value;

use crate::support::contract::Worker;
use crate::support::guests::SUCCEEDS;
use crate::support::host::Project;

#[test]
fn the_exit_code_says_whether_a_message_arrives() {
    let project = Project::new(&Worker::new(SUCCEEDS));
    let explain = |arguments: &[&str]| project.run(&[&["explain", "contract.yaml"], arguments].concat());
    for (arguments, code, stdout, stderr) in [
        (&["task"][..], 0, "└─ task → queue work  consumers.worker", ""),
        (&["in", "task"], 0, "in work-wait-50ms", ""),
        (&["", "work"], 0, "by its name → queue work", ""),
        (&["in", "tusk"], 65, "Did you mean `task`?", ""),
        (&["in"], 64, "", "hint: publishers of this contract use `task`"),
        (&["tusk"], 64, "", "hint: did you mean `task`?"),
        (&["task", "--exchange"], 64, "", "no exchange called `task`"),
        (&["task", "other"], 64, "", "`task` has a fixed routing key"),
    ] {
        let said = explain(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains(stdout) && said.stderr.contains(stderr), "{arguments:?}: {said:?}");
    }
    let said = explain(&["task", "--format", "json"]);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    let consumer = &json["queues"][0]["consumer"];
    assert_eq!(consumer["outcomes"][1]["outcome"], "transient");
    assert_eq!(consumer["outcomes"][1]["steps"][0]["waitQueue"], "work-wait-50ms");
    assert_eq!(json["queues"][0]["deadLetter"]["queues"][0]["name"], "dead");
}
