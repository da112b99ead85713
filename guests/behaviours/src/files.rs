//! Files by the bare interface of WASI.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// The most that is read of a file, in bytes.
const READ_BYTES_MAX: u64 = 1000;

/// Where the handler sees folders.
pub fn seen() -> Vec<String> {
    get_directories().into_iter().map(|(_, at)| at).collect()
}

/// Carries out one step, and says what came of it: what was read, `done`, or the name of an error.
pub fn step(step: &[String]) -> String {
    let step: Vec<&str> = step.iter().map(String::as_str).collect();
    let done = match step[..] {
        ["read", at, path] => read(at, path),
        ["write", at, path, text] => write(at, path, text),
        ["list", at, path] => list(at, path),
        ["remove", at, path] => folder(at).and_then(|folder| folder.unlink_file_at(path)).map(done),
        ["make", at, path] => folder(at).and_then(|folder| folder.create_directory_at(path)).map(done),
        ["symlink", at, target, path] => {
            folder(at).and_then(|folder| folder.symlink_at(target, path)).map(done)
        }
        ["readlink", at, path] => folder(at).and_then(|folder| folder.readlink_at(path)),
        ["rename", at, old, to, new] => two(at, to, |from, to| from.rename_at(old, to, new)),
        ["link", at, old, to, new] => {
            two(at, to, |from, to| from.link_at(PathFlags::SYMLINK_FOLLOW, old, to, new))
        }
        ["truncate", at, path] => {
            let opened = folder(at).and_then(|folder| {
                folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::WRITE)
            });
            opened.and_then(|file| file.set_size(0)).map(done)
        }
        _ => Ok("no such step".to_owned()),
    };
    done.unwrap_or_else(|error| error.name().to_owned())
}

fn done((): ()) -> String {
    "done".to_owned()
}

fn folder(at: &str) -> Result<Descriptor, ErrorCode> {
    let found = get_directories().into_iter().find(|(_, name)| name == at);
    found.map(|(folder, _)| folder).ok_or(ErrorCode::BadDescriptor)
}

fn two(
    from: &str,
    to: &str,
    act: impl FnOnce(&Descriptor, &Descriptor) -> Result<(), ErrorCode>,
) -> Result<String, ErrorCode> {
    act(&folder(from)?, &folder(to)?).map(done)
}

fn read(at: &str, path: &str) -> Result<String, ErrorCode> {
    let file =
        folder(at)?.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(READ_BYTES_MAX, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(at: &str, path: &str, text: &str) -> Result<String, ErrorCode> {
    let file =
        folder(at)?.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::CREATE, DescriptorFlags::WRITE)?;
    file.write(text.as_bytes(), 0).map(|_| "done".to_owned())
}

fn list(at: &str, path: &str) -> Result<String, ErrorCode> {
    let folder =
        folder(at)?.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = folder.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names.join(" "))
}
