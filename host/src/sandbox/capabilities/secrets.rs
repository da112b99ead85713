//! Reads secrets from the host's environment or from files, once, when handlers are loaded.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::contract::{Problem, SecretGrant};

use super::{Premises, path_of};

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Name and value.
pub(super) type Secret = (String, String);

/// Reads them all. A secret that is not there is a problem; where nothing is to be run it is left out.
pub(super) fn read(
    grants: &[SecretGrant],
    premises: &Premises,
    at: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Secret> {
    if !premises.is_run {
        return Vec::new();
    }
    let mut secrets = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        let name = &grant.name;
        let value = match &grant.file {
            Some(file) => of_file(name, &path_of(&premises.folder, file)),
            None => of_environment(name),
        };
        match value {
            Ok(value) => secrets.push((name.clone(), value)),
            Err(says) => problems.push(Problem::at(format!("{at}/{index}"), says).hint(format!(
                "set the environment variable {name} of the host, or write `{{ name: {name}, file: PATH }}` and put the value into that file"
            ))),
        }
    }
    secrets
}

fn of_environment(name: &str) -> Result<String, String> {
    let value = std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => {
            format!("the secret `{name}` is not there: the host has no environment variable of this name")
        }
        std::env::VarError::NotUnicode(_) => format!("the secret `{name}` is not UTF-8"),
    })?;
    if value.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("the secret `{name}` is longer than {SECRET_BYTES_MAX} bytes"));
    }
    not_empty(name, value)
}

fn of_file(name: &str, path: &Path) -> Result<String, String> {
    let shown = path.display();
    let not_readable = |error| format!("the secret `{name}` cannot be read from `{shown}`: {error}");
    let file = File::open(path).map_err(not_readable)?;
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 3).read_to_end(&mut bytes).map_err(not_readable)?;
    let mut value = String::from_utf8(bytes).map_err(|_| {
        format!("the secret `{name}` in `{shown}` is not UTF-8, which `wasi:config` has to be")
    })?;
    // What editors and `echo` put at the end.
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    if value.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("the secret `{name}` in `{shown}` is longer than {SECRET_BYTES_MAX} bytes"));
    }
    not_empty(name, value)
}

/// An empty value is nearly always a deployment that forgot something.
fn not_empty(name: &str, value: String) -> Result<String, String> {
    if value.is_empty() { Err(format!("the secret `{name}` is empty")) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_secret_without_the_line_feed_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, value) in [("v", "v"), ("v\n", "v"), ("v\r\n", "v"), ("v\n\n", "v\n"), (" v ", " v ")] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(of_file("NAME", &path).as_deref(), Ok(value));
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let refused = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            of_file("NAME", &path).unwrap_err()
        };
        assert!(refused(b"").contains("is empty"));
        assert!(refused(b"\n").contains("is empty"));
        assert!(refused(b"\xff\xfe").contains("not UTF-8"));
        assert!(refused(&vec![b'v'; 64 * 1024 + 1]).contains("longer than"));
        assert!(of_file("NAME", folder.path()).unwrap_err().contains("cannot be read"));
        assert!(of_file("NAME", Path::new("/nowhere")).unwrap_err().contains("/nowhere"));
    }
}
