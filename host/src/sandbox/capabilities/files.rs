//! Folders that a guest sees. wasmtime-wasi keeps it within them (cap-std underneath); here is which, and how they
//! are held.

use std::fs::File;
use std::path::{Path, PathBuf};

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::contract::{Access, FileGrant, Problem};

use super::{Premises, path_of};

/// A folder that is held open from the start, so that nobody, such as another handler that may write beside it, can put
/// another in its place.
pub(super) struct Folder {
    _held: File,
    /// Leads to what is held, whatever is at its path by now.
    path: PathBuf,
    at: String,
    permissions: FsPerms,
}

impl Folder {
    pub(super) fn apply(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        wasi.preopened_dir(&self.path, &self.at, self.permissions).map(|_| ())
    }
}

/// Opens the folders. One that is missing is a problem; where nothing is to be run, none is opened.
pub(super) fn open(
    grants: &[FileGrant],
    component: &str,
    premises: &Premises,
    at: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Folder> {
    if !premises.is_run {
        return Vec::new();
    }
    let mut folders = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        match open_one(grant, component, premises) {
            Ok(folder) => folders.push(folder),
            Err((says, hint)) => {
                problems.push(Problem::at(format!("{at}/{index}/path"), says).hint(hint));
            }
        }
    }
    folders
}

fn open_one(
    grant: &FileGrant,
    component: &str,
    premises: &Premises,
) -> Result<Folder, (String, &'static str)> {
    const MAKE: &str = "make the folder before the host starts; the path is relative to the contract file";
    let path = path_of(&premises.folder, &grant.path);
    // Of the folder of a contract that is named without one.
    let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
    let shown = path.display();
    let real = path
        .canonicalize()
        .map_err(|error| (format!("the folder `{shown}` cannot be opened: {error}"), MAKE))?;
    if !real.is_dir() {
        return Err((format!("`{shown}` is not a folder"), "grant the folder that the file is in"));
    }
    for private in premises.private.iter().filter_map(|private| private.canonicalize().ok()) {
        if real.starts_with(&private) || private.starts_with(&real) {
            let says = format!(
                "the folder `{shown}` and the host's own `{}` are within each other",
                private.display()
            );
            return Err((
                says,
                "a handler sees neither compiled code nor the stores of others: grant another folder",
            ));
        }
    }
    if grant.access == Access::ReadWrite {
        let component = path_of(&premises.folder, component);
        let parts = [premises.folder.as_path(), component.parent().unwrap_or(&premises.folder)];
        // Of a path such as `contract.yaml`, the folder is empty, which means this one.
        let real_of =
            |part: &Path| if part.as_os_str().is_empty() { Path::new(".") } else { part }.canonicalize().ok();
        if parts.into_iter().filter_map(real_of).any(|part| part.starts_with(&real)) {
            let says = format!("the handler could write to the contract or the components in `{shown}`");
            return Err((
                says,
                "it could grant itself whatever it likes: grant a folder beside them, or make it read-only",
            ));
        }
    }
    let held = File::open(&real)
        .map_err(|error| (format!("the folder `{shown}` cannot be opened: {error}"), MAKE))?;
    let permissions = match grant.access {
        Access::ReadOnly => FsPerms::ReadOnly,
        Access::ReadWrite => FsPerms::ReadWrite,
    };
    Ok(Folder { path: held_path(&held).unwrap_or(real), _held: held, at: grant.at.clone(), permissions })
}

/// A path that leads to the open file itself, where the system has such.
#[cfg(target_os = "linux")]
fn held_path(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    path.is_dir().then_some(path)
}

#[cfg(not(target_os = "linux"))]
fn held_path(_file: &File) -> Option<PathBuf> {
    None
}
