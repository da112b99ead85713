//! Contracts with a great many of something: read, or refused, in time, and what is told of them stays bounded.

use super::hostile_tests::{read_with, refused, refused_with};

/// How many of something is a great many: as many as a contract may have values, where that does not take too long.
const MANY: usize = if cfg!(debug_assertions) { 30_000 } else { 299_000 };

#[test]
fn a_great_many_entries() {
    let keys = |count: usize| (0..count).map(|index| format!("k{index}: 1\n")).collect::<String>();
    refused(&format!("contract: c\n{}", keys(MANY - 9_000)));
    assert!(refused(&format!("contract: c\n{}", keys(301_000))).contains("more than 300000 values"));
    refused(&format!("contract: c\nqueues:\n{}", keys(MANY - 9_000).replace('k', "  k")));
    refused(&format!("contract: c\ninclude: [{}]", "x, ".repeat(MANY)));
    refused(&format!("contract: c\nallow: [{}]", "x, ".repeat(MANY)));
    read_with(&format!("contract: c\nallow: [{}]", "{warning: unused, reason: x},".repeat(MANY / 4)), &[]);
    refused(&format!("contract: c\nallow: [{}]", "{},".repeat(MANY / 3)));
    let queues: String = (0..MANY / 3).map(|index| format!("  q{index}: {{}}\n")).collect();
    read_with(&format!("contract: c\nqueues:\n{queues}"), &[]);
    let one_line: String = (0..MANY / 3).map(|index| format!("\"q{index}\":{{\"typ\":1}},")).collect();
    refused(&format!("{{\"contract\":\"c\",\"queues\":{{{}}}}}", one_line.trim_end_matches(',')));
    let nulls: String = (0..MANY / 3).map(|index| format!("\"q{index}\":{{}},")).collect();
    refused(&format!(
        "{{\"contract\":\"c\",\"exchanges\":{{\"amq.a\":{{}},{}}}}}",
        nulls.replace('q', "amq.q").trim_end_matches(',')
    ));
    let wrong: String = (0..MANY / 3).map(|index| format!("\"q{index}\":\"{index}\",")).collect();
    refused(&format!("{{\"contract\":\"c\",\"domains\":{{{}}}}}", wrong.trim_end_matches(',')));
    refused(&format!("{{\"contract\":\"c\",\"messages\":{{{}}}}}", nulls.trim_end_matches(',')));
    let named: String = (0..MANY / 5)
        .map(|index| format!("\"q{index}\":{{\"exchange\":\"e\",\"message\":\"m\"}},"))
        .collect();
    refused(&format!("{{\"contract\":\"c\",\"events\":{{{}}}}}", named.trim_end_matches(',')));
}

#[test]
fn long_keys_nested_deep() {
    let mut text = "contract: c\n".to_owned();
    for level in 0..60 {
        text.push_str(&format!("{}{}{level}:\n", " ".repeat(level), "k".repeat(1000)));
    }
    for leaf in 0..30_000 {
        text.push_str(&format!("{}l{leaf}: ${{SET}}\n", " ".repeat(60)));
    }
    refused(&text);
    // In a place where any shape is allowed.
    let deep: String = (0..55).map(|level| format!("{{{}{level}: ", "k".repeat(1000))).collect();
    let leaves: String = (0..30_000).map(|leaf| format!("l{leaf}: ${{SET}},")).collect();
    let text = format!(
        "contract: c\nqueues: {{ q: {{ arguments: {{ a: {deep} {{ {leaves} }} {} }} }} }}",
        "}".repeat(55)
    );
    read_with(&text, &[]);
    let unset = text.replace("SET", "NOT_SET");
    refused(&unset);
}

#[test]
fn many_large_files() {
    let large = format!(
        "queues: {{ q: {{ arguments: {{ {} }} }} }}",
        (0..MANY - 9_000).map(|index| format!("k{index}: 1,")).collect::<String>()
    );
    let beside: Vec<(String, String)> =
        (0..60).map(|index| (format!("{index}.yaml"), large.replace("q:", &format!("q{index}:")))).collect();
    let names: Vec<(&str, &str)> = beside.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let includes: String = (0..60).map(|index| format!("{index}.yaml, ")).collect();
    read_with(&format!("contract: c\ninclude: [{includes}]"), &names);
}

#[test]
fn ten_thousand_consumers() {
    const CONSUMERS: usize = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
    for shared in [false, true] {
        let mut text = "contract: c\nexchanges: { e: {}, dlx: { type: direct } }\nmessages: { m: { payload: {} } }\nmemoryMiB: 1000000\n".to_owned();
        let (mut queues, mut events, mut consumers) =
            ("  dead: {}\n".to_owned(), String::new(), String::new());
        for index in 0..CONSUMERS {
            queues
                .push_str(&format!("  q{index}: {{ deadLetter: {{ exchange: dlx, routingKey: dead }} }}\n"));
            events.push_str(&format!("  e{index}: {{ exchange: e, routingKey: e.n{index}, message: m }}\n"));
            let event = if shared { 0 } else { index };
            consumers.push_str(&format!("  c{index}: {{ queue: q{index}, event: e{event}, routingKey: \"*.n{event}\", handler: {{ component: a.wasm }}, publishes: [e{index}] }}\n"));
        }
        text.push_str(&format!("queues:\n{queues}events:\n{events}consumers:\n{consumers}bindings: {{ dead: {{ exchange: dlx, queue: dead, routingKey: dead }} }}\n"));
        read_with(&text, &[]);
    }
}

#[test]
fn files_that_include_themselves() {
    let sound = "contract: c\ninclude: [c.yaml, ./c.yaml, a.yaml]\n";
    assert_eq!(
        read_with(
            sound,
            &[("c.yaml", sound), ("a.yaml", "include: [b.yaml]"), ("b.yaml", "include: [a.yaml, c.yaml]")]
        ),
        None
    );
    refused_with("contract: c\ninclude: [../c.yaml]", &[("../c.yaml", "include: [../c.yaml]")]);
    let texts: Vec<(String, String)> =
        (0..100).map(|index| (format!("{index}.yaml"), format!("include: [{}.yaml]", index + 1))).collect();
    let beside: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(refused_with("contract: c\ninclude: [0.yaml]", &beside).contains("64 files"));
    let texts: Vec<(String, String)> = (0..100)
        .map(|index| (format!("{index}.yaml"), format!("contract: c\ndomains: {{ d: {}.yaml }}", index + 1)))
        .collect();
    let beside: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    read_with("contract: c\ndomains: { a: 0.yaml }", &beside);
}

#[test]
fn ways_without_number() {
    let crowd = if cfg!(debug_assertions) { 1_500 } else { 10_000 };
    let named =
        |text: &str| (0..crowd).map(|index| text.replace('N', &index.to_string())).collect::<String>();
    let start = "contract: c\nmessages: { m: { payload: {} } }\n";
    // Each event reaches each queue.
    let (queues, events) =
        (named("  qN: {}\n"), named("  eN: { exchange: x, routingKey: e.nN, message: m }\n"));
    let bindings = named("  bN: { exchange: x, queue: qN, routingKey: \"#\" }\n");
    let all =
        format!("{start}exchanges: {{ x: {{}} }}\nqueues:\n{queues}events:\n{events}bindings:\n{bindings}");
    assert!(refused(&all).contains("more than 1000000 ways"));
    // One exchange behind the other, and all of them dead-lettering to one that leads everywhere.
    let exchanges = named("  xN: {}\n") + &format!("  x{crowd}: {{}}\n");
    let chain: String = (0..crowd)
        .map(|index| {
            format!("  c{index}: {{ exchange: x{index}, toExchange: x{}, routingKey: \"#\" }}\n", index + 1)
        })
        .collect();
    let letters = named("  qN: { deadLetter: { exchange: x0, routingKey: a } }\n");
    let event = "events: { e: { exchange: x0, routingKey: a, message: m } }\n";
    refused(&format!("{start}exchanges:\n{exchanges}queues:\n{letters}{event}bindings:\n{chain}"));
    // Dead letters that expire again, and again.
    let letters = named("  qN: { messageTtlMs: 60000, deadLetter: { exchange: \"\", routingKey: qM } }\n");
    let letters: String = letters
        .lines()
        .enumerate()
        .map(|(index, line)| line.replace("qM", &format!("q{}", (index + 1).min(crowd - 1))) + "\n")
        .collect();
    refused(&format!("{start}queues:\n{letters}"));
    // Commands with patterns, each of which may meet each binding.
    let commands = named("  dN: { exchange: x, routingKey: \"*.n.N.*\", message: m }\n");
    let bindings = named("  bN: { exchange: x, queue: qN, routingKey: \"a.*.N.*\" }\n");
    read_with(
        &format!(
            "{start}exchanges: {{ x: {{}} }}\nqueues:\n{queues}commands:\n{commands}bindings:\n{bindings}"
        ),
        &[],
    );
}
