//! Compiled components on disk, so that a restart does not compile.
//!
//! Compiled code is trusted code: wasmtime does not check what it loads. So only files that this module wrote are
//! loaded, from a folder that nobody else may write to, and only if their checksum is right.

use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::hex;

const CHECKSUM_BYTES: usize = 32;

/// A folder of compiled components.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Whose files are loaded.
    owner: u32,
}

impl Cache {
    /// Opens the cache in `folder`, which is made if it is missing and has to be ours alone.
    pub fn open(folder: PathBuf) -> anyhow::Result<Self> {
        let owner = make_private(&folder)
            .with_context(|| format!("cannot use the cache folder `{}`", folder.display()))?;
        Ok(Self { folder, owner })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that the user's environment asks for: `$XDG_CACHE_HOME/warren`, or `~/.cache/warren`.
    pub fn default_folder() -> Option<PathBuf> {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
        base.map(|base| base.join("warren"))
    }

    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(engine, digest);
        let bytes = self.read(&path)?;
        let (checksum, code) = bytes.split_at_checked(CHECKSUM_BYTES)?;
        if Sha256::digest(code).as_slice() != checksum {
            tracing::warn!(path = %path.display(), "damaged file in the compile cache, compiling anew");
            return None;
        }
        deserialize(engine, code).inspect_err(|error| tracing::debug!(%error, "stale compile cache")).ok()
    }

    /// Reads a file, if it is one that we wrote.
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let found = std::fs::symlink_metadata(path).ok()?;
        if let Some(why) = foreign(&found, self.owner) {
            tracing::warn!(path = %path.display(), "{why} in the compile cache, compiling anew");
            return None;
        }
        std::fs::read(path).ok()
    }

    /// Keeps a compiled component. That this fails costs time at the next start, nothing else.
    pub(super) fn store(&self, engine: &Engine, digest: &str, code: &[u8]) {
        let store = || -> std::io::Result<()> {
            let mut file = tempfile_in(&self.folder)?;
            file.1.write_all(&Sha256::digest(code))?;
            file.1.write_all(code)?;
            std::fs::rename(&file.0, self.path(engine, digest))
        };
        if let Err(error) = store() {
            tracing::warn!(%error, folder = %self.folder.display(), "cannot keep the compiled component");
        }
    }

    fn path(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let compatibility = hex(&hasher.0.finalize()[..8]);
        self.folder.join(format!("{digest}-{compatibility}.cwasm"))
    }
}

#[expect(
    unsafe_code,
    reason = "the bytes are what our own compiler made: fresh from it, or of a file that `store` wrote, by its checksum, in a folder of our own"
)]
pub(super) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: see the reason above; `make_private` keeps others from writing there.
    unsafe { Component::deserialize(engine, code) }
}

fn tempfile_in(folder: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let path = folder.join(format!("{}.tmp", uuid::Uuid::new_v4()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    // Whatever the umask says: a file that others may write to would not be loaded.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    Ok((path, file))
}

/// Why a file is not one of ours.
#[cfg(unix)]
fn foreign(found: &std::fs::Metadata, owner: u32) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    if !found.is_file() {
        return Some("something that is no file");
    }
    if found.uid() != owner {
        return Some("a file of somebody else");
    }
    (found.mode() & 0o022 != 0).then_some("a file that others may write to")
}

#[cfg(not(unix))]
fn foreign(found: &std::fs::Metadata, _owner: u32) -> Option<&'static str> {
    (!found.is_file()).then_some("something that is no file")
}

/// Gives the owner of the files that we write.
#[cfg(unix)]
pub(super) fn make_private(folder: &Path) -> anyhow::Result<u32> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = std::fs::metadata(folder)?;
    // A file of our own tells who we are, without asking the system in an unsafe way.
    let (probe, file) = tempfile_in(folder)?;
    let ours = file.metadata()?.uid();
    std::fs::remove_file(probe)?;
    if found.uid() != ours || found.mode() & 0o022 != 0 {
        bail!(
            "others may write to it (owner {}, mode {:o}); it must be yours alone",
            found.uid(),
            found.mode() & 0o777
        );
    }
    Ok(ours)
}

#[cfg(not(unix))]
pub(super) fn make_private(folder: &Path) -> anyhow::Result<u32> {
    std::fs::create_dir_all(folder)?;
    Ok(0)
}

/// The standard hasher's 64 bits may change from one Rust to the next.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
