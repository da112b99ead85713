//! Where a host keeps what outlives it: the key-value stores.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use crate::load::Loaded;
use crate::sandbox::{Cache, Premises, Stores};

/// The data folder, for commands that run handlers.
#[derive(Debug, Args)]
pub(super) struct DataArgs {
    /// Folder for key-value stores; it must be writable by you alone, and hosts that name the same one share its stores
    /// [default: ~/.local/state/warren]
    #[arg(long = "data", env = "WARREN_DATA", value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl DataArgs {
    /// Opens what handlers of this contract are granted; the stores only if one of them has any.
    pub(super) fn premises(&self, loaded: &Loaded, cache: Option<&Cache>) -> anyhow::Result<Premises> {
        let folder = self.folder.clone().or_else(default_folder);
        let mut consumers = loaded.contract.consumers.values();
        let stores = if consumers.any(|consumer| !consumer.capabilities.key_value.is_empty()) {
            let folder =
                folder.as_ref().context("no folder for the key-value stores; name one with --data")?;
            Some(Arc::new(Stores::open(folder).context("hint: --data names another folder")?))
        } else {
            None
        };
        let cache = cache.map(|cache| cache.folder().to_owned());
        Ok(Premises {
            folder: loaded.folder.clone(),
            stores,
            private: folder.into_iter().chain(cache).collect(),
            is_run: true,
        })
    }
}

/// The folder that the user's environment asks for: `$XDG_STATE_HOME/warren`, or `~/.local/state/warren`.
fn default_folder() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")));
    base.map(|base| base.join("warren"))
}
