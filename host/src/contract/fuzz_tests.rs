//! Corpus files, changed at random: whatever comes of it is read or refused, quickly, and can be shown.
//!
//! `WARREN_FUZZ_SECONDS` says how long to go on; a few seconds if it is not set. A text that fails is written beside
//! the temporary files, with its path in the message.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Contract, Problems, Surroundings};

const SECONDS: u64 = 3;
/// The longest that one text may take. Tests run without optimisation, and beside others.
const ONE_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 4 });
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// What is put in: what YAML, variables, schemas and the language itself look at.
const TOKENS: [&str; 64] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "\"",
    "'",
    "#",
    " #",
    "- ",
    "? ",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "|\n",
    ">\n",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\t",
    "\r\n",
    "\n",
    "\u{feff}",
    "\0",
    "\u{2028}",
    "é",
    "🦀",
    "${",
    "${X}",
    "${SET}",
    "${SET:-",
    "$${",
    "null",
    "~",
    "true",
    "-1",
    "1e400",
    "99999999999999999999",
    "0.5",
    ".nan",
    "\\u0000",
    "\\ud800",
    "$ref",
    "#/$defs/a",
    "#",
    "\"#\"",
    "*",
    "a/b",
    "domains",
    "include: [a]",
    "queues",
    "retry",
    "owned: false",
    "toExchange: a",
    "headers: {}",
    "routingKey: \"#\"",
    "messageTtlMs: 1",
    "mode: none",
    "externalConsumers: true",
    "deadLetter: { exchange: \"\", routingKey: a }",
    "{}",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// A place in `text` between two characters.
    fn place(&mut self, text: &str) -> usize {
        text.floor_char_boundary(self.below(text.len() + 1))
    }
}

/// Every file below `folder` that contracts are made of, by its path there.
fn read_all(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "json") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
}

fn change(text: &mut String, seeds: &[(String, String)], random: &mut Random) {
    let lines = text.lines().count();
    match random.below(9) {
        0 => {
            let at = random.place(text);
            text.insert_str(at, TOKENS[random.below(TOKENS.len())]);
        }
        1 => {
            let (a, b) = (random.place(text), random.place(text));
            let end = a.max(b).min(a.min(b) + 40);
            let end = text.floor_char_boundary(end).max(a.min(b));
            text.replace_range(a.min(b)..end, "");
        }
        2 => {
            let mut bytes = std::mem::take(text).into_bytes();
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        kind @ 3..=5 if lines > 0 => {
            let mut all: Vec<&str> = text.lines().collect();
            let (a, b) = (random.below(lines), random.below(lines));
            match kind {
                3 => drop(all.remove(a)),
                4 => all.insert(a, all[b]),
                _ => all.swap(a, b),
            }
            *text = all.join("\n");
        }
        6 => {
            let other = &seeds[random.below(seeds.len())].1;
            let (from, to) = (random.place(other), random.place(other));
            let at = random.place(text);
            text.insert_str(at, &other[from.min(to)..from.max(to)]);
        }
        7 => {
            let at = random.place(text);
            let token = TOKENS[random.below(TOKENS.len())];
            text.insert_str(at, &token.repeat(1 + random.below(500)));
        }
        _ => {
            // A word in place of another, or a line that is indented differently.
            let words: Vec<&str> = text.split_inclusive([' ', '\n', ',', ':']).collect();
            let (a, b) = (random.below(words.len()), random.below(words.len()));
            let changed: String = words
                .iter()
                .enumerate()
                .map(|(index, word)| if index == a { words[b] } else { word })
                .collect();
            *text = changed;
        }
    }
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
}

fn show(problems: &Problems) -> usize {
    let (human, colour) = (problems.render(false), problems.render(true));
    human.len() + colour.len() + problems.to_json().to_string().len() + problems.to_sarif().to_string().len()
}

/// What is wrong with how `text` was treated, if something is.
fn treat(text: &str, seeds: &[(String, String)]) -> Option<String> {
    let start = Instant::now();
    let read_file = |path: &str| {
        // A file by the end of its path: what it is beside does not matter here.
        let found = seeds.iter().find(|(name, _)| name.ends_with(path) && !path.is_empty());
        found.map(|(_, text)| text.clone()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let variable = |name: &str| (name == "SET").then(|| "7".to_owned());
    let treated = catch_unwind(AssertUnwindSafe(|| {
        let surroundings = Surroundings { read_file: &read_file, variable: &variable };
        match Contract::parse("folder/c.yaml", text, surroundings) {
            Ok(contract) => {
                show(&contract.warnings());
                let topology = crate::topology::derive(&contract);
                (format!("{topology:?}").is_empty()).then_some("an empty topology")
            }
            Err(problems) if problems.is_empty() => Some("refused without a problem"),
            Err(problems) if show(&problems) > 8 * 1024 * 1024 => Some("too much to show"),
            Err(_) => None,
        }
    }));
    match treated {
        Err(_) => Some("it panicked".to_owned()),
        Ok(Some(fault)) => Some(fault.to_owned()),
        Ok(None) if start.elapsed() > ONE_MAX => Some(format!("it took {:?}", start.elapsed())),
        Ok(None) => None,
    }
}

#[test]
fn changed_contracts_are_read_or_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts");
    let mut seeds = Vec::new();
    read_all(&root, &root, &mut seeds);
    let asked = std::env::var("WARREN_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let until = Instant::now() + Duration::from_secs(asked.unwrap_or(SECONDS));
    // The same texts each time, unless somebody goes looking for more.
    let seed = if asked.is_some() { u64::from(std::process::id()) << 20 | 1 } else { 0x5eed };
    let mut random = Random(seed);
    let mut count: u64 = 0;
    while Instant::now() < until {
        let mut text = seeds[random.below(seeds.len())].1.clone();
        for _ in 0..=random.below(6) {
            change(&mut text, &seeds, &mut random);
        }
        count += 1;
        if let Some(fault) = treat(&text, &seeds) {
            let path = std::env::temp_dir().join(format!("warren-fuzz-{}-{count}.yaml", std::process::id()));
            std::fs::write(&path, &text).unwrap();
            panic!("{fault}: {}", path.display());
        }
    }
    println!("{count} texts");
}
