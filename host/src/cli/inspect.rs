//! `warren inspect`: what a component is, before anything of it is compiled or run.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::load;
use crate::sandbox::{Capability, Outline, digest};
use crate::text::{columns, counted};

use super::{Exit, print_data};

/// Show what a component is: digest, world, imports and the capabilities they need, and what made it
///
/// Nothing of it is compiled or run, and no contract is needed. Whether it can be a handler of this host is said, and why
/// not; whether a contract grants what it needs is for `warren check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Inspect {
    /// The component, a .wasm file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 it can be a handler, 78 it cannot (what is known of it is printed all the same).

The JSON has file, digest, bytes, name, world, asynchronous, loads, obstacles, needs,
imports [{ name, needs, note }], exports, madeWith { field: [{ name, version }] },
coreModules, memories [{ initialBytes, maximumBytes }]. `needs` are keys of a consumer
(`publishes`) or of its `capabilities`. Later versions may add fields; none changes its meaning.";

impl Inspect {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let file = self.file.display();
        let bytes = match load::component(&self.file) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("error: cannot read `{file}`: {error}");
                return Ok(Exit::Contract);
            }
        };
        let outline = match Outline::read(&bytes) {
            Ok(outline) => outline,
            Err(error) => {
                eprintln!("error: `{file}` is not a component: {error}");
                if let Some(hint) = error.hint() {
                    eprintln!("hint: {hint}");
                }
                return Ok(Exit::Contract);
            }
        };
        let report = Report { file: file.to_string(), digest: digest(&bytes), bytes: bytes.len(), outline };
        print_data(&if self.json { format!("{:#}\n", report.json()) } else { report.text() })?;
        Ok(if report.outline.obstacles().is_empty() { Exit::Done } else { Exit::Contract })
    }
}

struct Report {
    file: String,
    digest: String,
    bytes: usize,
    outline: Outline,
}

impl Report {
    /// The capabilities that a contract has to grant, each once.
    fn needs(&self) -> Vec<&'static str> {
        let all = [Capability::Publishes, Capability::Http, Capability::Config, Capability::KeyValue];
        let needed = |capability: &Capability| {
            self.outline.imports.iter().any(|(_, need)| need.capability == *capability)
        };
        all.into_iter().filter(needed).map(Capability::text).collect()
    }

    fn json(&self) -> Value {
        let outline = &self.outline;
        let imports = outline.imports.iter().map(|(name, need)| {
            let needs = match need.capability {
                Capability::None => Value::Null,
                capability => capability.text().into(),
            };
            json!({ "name": name, "needs": needs, "note": need.note })
        });
        let made_with = outline.producers.iter().map(|(field, values)| {
            let values = values.iter().map(|(name, version)| json!({ "name": name, "version": version }));
            (field.clone(), values.collect())
        });
        let memories = outline
            .memories
            .iter()
            .map(|memory| json!({ "initialBytes": memory.initial, "maximumBytes": memory.maximum }));
        let obstacles = outline.obstacles();
        json!({
            "file": self.file,
            "digest": format!("sha256:{}", self.digest),
            "bytes": self.bytes,
            "name": outline.name,
            "world": outline.world(),
            "asynchronous": outline.asynchronous,
            "loads": obstacles.is_empty(),
            "obstacles": obstacles,
            "needs": self.needs(),
            "imports": imports.collect::<Vec<_>>(),
            "exports": outline.exports,
            "madeWith": made_with.collect::<serde_json::Map<_, _>>(),
            "coreModules": outline.core_modules,
            "memories": memories.collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let outline = &self.outline;
        let mut rows = vec![
            ("component", self.file.clone()),
            ("digest", format!("sha256:{}", self.digest)),
            ("size", size(self.bytes as u64)),
        ];
        rows.extend(outline.name.clone().map(|name| ("name", name)));
        rows.push(("world", outline.world().unwrap_or("none that this host calls").to_owned()));
        rows.push(("inside", self.inside()));
        for (field, values) in &outline.producers {
            let values: Vec<String> =
                values.iter().map(|(name, version)| format!("{name} {version}").trim().to_owned()).collect();
            rows.push((field, values.join(", ")));
        }
        let obstacles = outline.obstacles();
        let needs = self.needs();
        rows.push((
            "loads",
            match (obstacles.is_empty(), needs.is_empty()) {
                (false, _) => "no".to_owned(),
                (true, true) => "yes, with nothing granted".to_owned(),
                (true, false) => format!("yes, where the contract grants {}", needs.join(", ")),
            },
        ));
        let mut text: String = rows.iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect();
        for obstacle in obstacles {
            text += &format!("{:14}{obstacle}\n", "");
        }
        text += "\nimports\n";
        let imports = outline.imports.iter().map(|(name, need)| {
            let note = need.note.map_or_else(String::new, |note| format!("; {note}"));
            vec![format!("  {name}"), format!("{}{note}", need.capability.text())]
        });
        text.extend(columns(&imports.collect::<Vec<_>>()).into_iter().map(|line| line + "\n"));
        text += "\nexports\n";
        outline.exports.iter().for_each(|name| text += &format!("  {name}\n"));
        text
    }

    fn inside(&self) -> String {
        let Outline { core_modules, memories, asynchronous, .. } = &self.outline;
        let initial: u64 = memories.iter().map(|memory| memory.initial).sum();
        format!(
            "{}, {} of {} at the start{}",
            counted(*core_modules, "core module", "core modules"),
            counted(memories.len(), "memory", "memories"),
            size(initial),
            if *asynchronous { ", asynchronous functions" } else { "" },
        )
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes >> 20),
    }
}
