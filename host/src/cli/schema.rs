//! `warren schema`: the JSON Schema of contract files, for editors.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::contract::editor_schema;

use super::{Exit, print_data};

/// Print the JSON Schema of contract files, with which editors complete keys and mark mistakes
///
/// The schema is made from what `warren check` itself reads, so it knows every key and what it means. It cannot follow
/// names: that is what `warren check` does.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct Schema {
    /// The schema of files that a contract names in `include`: without what only the first file says
    #[arg(long)]
    fragment: bool,

    /// Write it to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
For editors with yaml-language-server (VS Code's YAML extension, Neovim, Helix, Zed), write it beside the contract:
  warren schema -o contract.schema.json
and let the contract begin with
  # yaml-language-server: $schema=contract.schema.json
A contract in JSON has a key for it: \"$schema\": \"./contract.schema.json\"";

impl Schema {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let text = format!("{:#}\n", editor_schema(self.fragment));
        match self.output {
            None => print_data(&text)?,
            Some(path) => {
                std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
            }
        }
        Ok(Exit::Done)
    }
}
