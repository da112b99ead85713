//! The test guests, by name. One that no test uses does not compile; one that has no name here fails a test.
#![deny(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A test guest: `guests/behaviours/examples/<name>.rs`, as a component.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest(&'static str);

macro_rules! guests {
    ($($constant:ident = $name:literal,)*) => {
        $(pub(crate) const $constant: Guest = Guest($name);)*
        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

guests! {
    DISPATCHES = "dispatches",
    ECHOES = "echoes",
    FAILS_PERMANENTLY = "fails-permanently",
    FAILS_TRANSIENTLY = "fails-transiently",
    FLOODS_LOGS = "floods-logs",
    HOARDS = "hoards",
    IS_RATE_LIMITED = "is-rate-limited",
    IS_UNAUTHORIZED = "is-unauthorized",
    KEEPS_STATE = "keeps-state",
    LOOPS = "loops",
    PUBLISHES = "publishes",
    PUBLISHES_THEN_FAILS = "publishes-then-fails",
    PUBLISHES_THEN_TRAPS = "publishes-then-traps",
    REPORTS = "reports",
    SLEEPS = "sleeps",
    SUCCEEDS = "succeeds",
    TELLS = "tells",
    TRAPS = "traps",
    USES_CONFIG = "uses-config",
    USES_FILES = "uses-files",
    USES_HTTP = "uses-http",
    USES_KEY_VALUE = "uses-key-value",
}

impl Guest {
    /// File name of the component: cargo turns `-` into `_`.
    pub(crate) fn file(self) -> String {
        format!("{}.wasm", self.0.replace('-', "_"))
    }

    /// The component.
    pub(crate) fn component(self) -> PathBuf {
        folder().join(self.file())
    }
}

/// Where the components are; built first if one is missing.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
        let folder = target.join("behaviours");
        if !NAMES.iter().all(|name| folder.join(Guest(name).file()).exists()) {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
            let mut build = Command::new(root.join("scripts/build-handlers"));
            build.args(["--examples", "--out"]).arg(&folder).arg(root.join("guests/behaviours"));
            assert!(
                build.status().expect("scripts/build-handlers runs").success(),
                "the test guests are built"
            );
        }
        folder
    })
}

/// Where the guests of `guests/hostile` are; made first if they are missing.
pub(crate) fn hostile() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
        let folder = target.join("behaviours/hostile");
        if !folder.join("hostile.tsv").exists() {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
            let made = Command::new("make").arg("-C").arg(root).arg("hostile").status();
            assert!(made.expect("make runs").success(), "the hostile guests are made");
        }
        folder
    })
}

/// One of them.
pub(crate) fn hostile_component(name: &str) -> Vec<u8> {
    std::fs::read(hostile().join(format!("{name}.wasm"))).expect("a component")
}

#[test]
fn every_test_guest_is_named_and_so_used() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../guests/behaviours/examples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut there: Vec<String> =
        files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    there.retain(|name| !name.starts_with("bench-")); // the benchmark's
    there.sort();
    assert_eq!(there, NAMES);
}
