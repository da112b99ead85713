//! Keeps the rooms what `lib.rs` says they are: a test that reads the source.

use std::path::{Path, PathBuf};

/// The longest source file, in lines.
const LINES_MAX: usize = 400;

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                sources.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources
}

#[test]
fn every_file_says_what_it_is_for_and_fits_a_reader() {
    for (name, text) in sources() {
        assert!(text.starts_with("//! "), "{name} does not open with //!");
        let lines = text.lines().count();
        // Tables of cases are as long as there are cases.
        assert!(
            name.ends_with("tests.rs") || lines <= LINES_MAX,
            "{name} has {lines} lines, {LINES_MAX} are enough for one concern"
        );
    }
}

#[test]
fn rooms_name_only_what_is_theirs() {
    let pure = [
        "asyncapi/",
        "contract/",
        "diff/",
        "explain/",
        "import/",
        "message.rs",
        "plan/",
        "policy/",
        "text.rs",
        "topology/",
        "yaml/",
    ];
    let impure = ["tokio", "lapin", "wasmtime", "fastrand", "Instant", "SystemTime", "std::fs", "std::env"];
    for (name, text) in sources() {
        if name == "tidy.rs" || name.ends_with("tests.rs") {
            continue;
        }
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        if pure.iter().any(|room| name.starts_with(room)) {
            for word in impure {
                assert!(!code.contains(word), "{name} is pure and names `{word}`");
            }
        }
        let uses = |library: &str| {
            code.contains(&format!("{library}::")) || code.contains(&format!("use {library}"))
        };
        assert!(name.starts_with("broker/") || !uses("lapin"), "{name} names lapin; only broker/ does");
        assert!(
            name.starts_with("sandbox/") || !uses("wasmtime"),
            "{name} names wasmtime; only sandbox/ does"
        );
        assert!(
            name == "broker/settle.rs" || !code.contains(".basic_ack("),
            "{name} acks; only broker/settle.rs does"
        );
    }
}
