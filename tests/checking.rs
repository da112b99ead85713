//! `warren check`: what it says, in which form, and how it exits.

use serde_json::Value;

use crate::support::contract::Worker;
use crate::support::guests::SUCCEEDS;
use crate::support::host::Project;

fn unsound() -> String {
    Worker::new(SUCCEEDS).to_string().replace("queue: work,", "queue: wrok,")
}

/// Sound, with a warning.
fn doubtful() -> String {
    Worker::new(SUCCEEDS).queue("type: classic").to_string()
}

#[test]
fn json_gives_each_problem_its_place() {
    let check = Project::new(&unsound()).run(&["check", "contract.yaml", "--format", "json"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(78), ""));
    let found: Value = serde_json::from_str(&check.stdout).unwrap();
    let line = unsound().lines().position(|line| line.contains("wrok")).unwrap() + 1;
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let problem = &found[0];
    assert_eq!(
        (&problem["severity"], &problem["path"], &problem["file"]),
        (&"error".into(), &"consumers.worker.queue".into(), &"contract.yaml".into())
    );
    assert_eq!(
        (problem["line"].as_u64(), problem["help"].as_str()),
        (Some(line as u64), Some("did you mean `work`?"))
    );
    assert_eq!(problem["endColumn"].as_u64().unwrap() - problem["column"].as_u64().unwrap(), 4);
}

#[test]
fn sarif_is_what_code_scanning_reads() {
    let check = Project::new(&unsound()).run(&["check", "contract.yaml", "--format", "sarif"]);
    let found: Value = serde_json::from_str(&check.stdout).unwrap();
    let result = &found["runs"][0]["results"][0];
    assert_eq!(found["version"], "2.1.0");
    assert_eq!((result["level"].as_str(), result["ruleId"].as_str()), (Some("error"), Some("contract")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "contract.yaml");
}

#[test]
fn warnings_are_told_and_may_be_denied() {
    let project = Project::new(&doubtful());
    let check = project.run(&["check", "contract.yaml"]);
    assert_eq!(check.code, Some(0));
    assert!(check.stderr.contains("warning[classic-queue]"), "{}", check.stderr);
    assert!(check.stdout.contains("sound"), "{}", check.stdout);
    let denied = project.run(&["check", "contract.yaml", "--deny", "warnings"]);
    assert_eq!((denied.code, denied.stdout.as_str()), (Some(78), ""));

    let allow = "allow: [{ warning: classic-queue, at: queues.work, reason: one node is all we have }]";
    project.write("contract.yaml", format!("{}{allow}\n", doubtful()));
    let allowed = project.run(&["check", "contract.yaml", "--deny", "warnings"]);
    assert_eq!((allowed.code, allowed.stderr.as_str()), (Some(0), ""));
}

#[test]
fn components_need_not_be_there_if_they_are_not_asked_for() {
    let project = Project::new(&Worker::new(SUCCEEDS).to_string().replace("handlers/", "elsewhere/"));
    assert_eq!(project.run(&["check", "contract.yaml"]).code, Some(78));
    assert_eq!(project.run(&["check", "contract.yaml", "--no-components"]).code, Some(0));
}

#[test]
fn variables_come_from_the_environment() {
    let contract =
        Worker::new(SUCCEEDS).handler("concurrency: \"${WARREN_TEST_CONCURRENCY:-4}\"").to_string();
    let project = Project::new(&contract);
    assert_eq!(project.run(&["check", "contract.yaml"]).code, Some(0));
    let mut command = project.command(&["check", "contract.yaml"]);
    command.env("WARREN_TEST_CONCURRENCY", "none");
    let check = project.spawn(command).finish();
    assert_eq!(check.code, Some(78));
    assert!(check.stderr.contains("expected a whole number, found the text `none`"), "{}", check.stderr);
}
