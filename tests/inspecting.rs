//! `warren inspect`, signatures, and the compile cache: what is looked at before anything of a component is trusted.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::contract::Worker;
use crate::support::foreign;
use crate::support::guests::{ECHOES, SUCCEEDS};
use crate::support::host::{Finished, Project};

/// What the key has signed is in `tests/inspect`.
const KEY: &str = "RWR37Dn3ocXWq+YCJTJfU1y8DpgZASP0Ws+RLTsXQXfil7kVJkqdAuj/";
/// EX_CONFIG of sysexits.h.
const CONTRACT: i32 = 78;

fn corpus(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/inspect").join(file)
}

/// A folder with `handler.wasm`, a contract for it, and these files of the corpus.
fn project(files: &[&str]) -> Project {
    let project =
        Project::new(&Worker::new(ECHOES).to_string().replace("handlers/echoes.wasm", "handler.wasm"));
    for file in [&["handler.wasm"], files].concat() {
        project.write(file, std::fs::read(corpus(file)).expect("a file of the corpus"));
    }
    project
}

fn is_golden(file: &str, found: &str) {
    let path = corpus(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, found).expect("a golden");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, golden, "`{file}` is not as before (BLESS=1 takes what is found)");
}

#[test]
fn a_component_is_described() {
    let project = project(&[]);
    let text = project.run(&["inspect", "handler.wasm"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    is_golden("handler.out", &text.stdout);
    let json = project.run(&["inspect", "handler.wasm", "--json"]);
    assert_eq!(json.code, Some(0));
    is_golden("handler.json.out", &json.stdout);
}

/// A component that wants what there is not, and says of itself what a terminal should not be told.
const STRANGE: &str = r#"(component $"red \1b[31mherring"
    (import "wasi:http/outgoing-handler@0.2.0" (instance))
    (import "wasi:keyvalue/store@0.2.0-draft" (instance))
    (import "wasi:blobstore/container@0.2.0" (instance))
    (import "wasi:cli/environment@0.3.0" (instance))
    (core module $m (memory 2) (memory 1 1)
        (func (export "f"))
        (@producers (language "\1b]0;title\07" "1") (sdk "kit" "0.1")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $e (export "handle" (func $f)))
    (export "warren:handler/consumer@0.1.0" (instance $e)))"#;

#[test]
fn what_keeps_a_component_from_being_a_handler_is_said() {
    let project = project(&[]);
    project.write("strange.wasm", wat::parse_str(STRANGE).expect("WebAssembly text"));
    let text = project.run(&["inspect", "strange.wasm"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(CONTRACT), ""));
    is_golden("strange.out", &text.stdout);
    let json: Value =
        serde_json::from_str(&project.run(&["inspect", "strange.wasm", "--json"]).stdout).unwrap();
    assert_eq!((&json["loads"], json["obstacles"].as_array().map(Vec::len)), (&Value::Bool(false), Some(3)));
}

#[test]
fn each_world_is_recognised() {
    for guest in foreign::all() {
        let file = guest.component();
        let began = Instant::now();
        let inspected = project(&[]).run(&["inspect", &file.to_string_lossy(), "--json"]);
        // Python's components have 18 MB, and compiling them takes 5 s on an idle machine.
        assert!(began.elapsed() < Duration::from_secs(4), "{}: {:?}", guest.name, began.elapsed());
        assert_eq!(inspected.code, Some(0), "{}", inspected.stdout);
        let json: Value = serde_json::from_str(&inspected.stdout).unwrap();
        let world = match guest.world {
            foreign::World::Wasmcloud2 => "wasmcloud:messaging@0.2.0",
            foreign::World::Wasmcloud3 => "wasmcloud:messaging@0.3.0",
            foreign::World::Messaging => "wasi:messaging@0.2.0-draft",
        };
        let found = json["world"].as_str().expect("a world");
        assert!(found.starts_with(world), "{}: {found}", guest.name);
        assert_eq!(found.ends_with("(asynchronous)"), guest.name == "wasi_messaging_async");
        assert_eq!(json["needs"], serde_json::json!(["publishes"]));
    }
    let ours = project(&[]).run(&["inspect", &ECHOES.component().to_string_lossy()]);
    assert!(ours.stdout.contains("world         warren:handler@0.1.0\n"), "{}", ours.stdout);
}

/// The beginning of a component, and one section: its id, and a name that is said to have `length` bytes.
fn with_name(id: u8, before: &[u8], length: u32) -> Vec<u8> {
    let leb = |mut value: u32| {
        let mut bytes = Vec::new();
        loop {
            let byte = u8::try_from(value & 0x7f).expect("seven bits");
            value >>= 7;
            bytes.push(if value == 0 { byte } else { byte | 0x80 });
            if value == 0 {
                return bytes;
            }
        }
    };
    let name = [leb(length), vec![b'a'; length as usize]].concat();
    let section = [before, &name].concat();
    let size = leb(u32::try_from(section.len()).expect("a size"));
    [b"\0asm\x0d\0\x01\0", &[id][..], &size, &section].concat()
}

#[test]
fn what_is_no_component_is_told_from_what_is_damaged() {
    let project = project(&[]);
    let handler = std::fs::read(corpus("handler.wasm")).unwrap();
    let wasm = |text: &str| wat::parse_str(text).expect("WebAssembly text");
    let mut cases: Vec<(String, Vec<u8>, &str)> = vec![
        ("nothing".to_owned(), Vec::new(), "it is not a WebAssembly file"),
        ("text".to_owned(), b"(component)".to_vec(), "it is not a WebAssembly file"),
        ("a core module".to_owned(), wasm("(module)"), "it is a core module, not a component"),
        (
            "compiled code".to_owned(),
            b"\x7fELF\x02\x01".to_vec(),
            "compiled components are never loaded from outside",
        ),
        ("a long name".to_owned(), with_name(0, &[], 100_000_000), "it is damaged"),
        ("a long import".to_owned(), with_name(10, &[1, 0], 100_000_000), "it is damaged"),
    ];
    for length in (8..handler.len()).step_by(69) {
        cases.push((format!("the first {length} bytes"), handler[..length].to_vec(), ""));
    }
    for (what, bytes, says) in cases {
        project.write("it.wasm", bytes);
        let began = Instant::now();
        let Finished { code, stdout, stderr } = project.run(&["inspect", "it.wasm"]);
        assert_eq!(
            (code, stdout.len() + stderr.len() < 2_000),
            (Some(CONTRACT), true),
            "{what}: {stdout}{stderr}"
        );
        assert!(stderr.contains(says) && !stderr.contains("panicked"), "{what}: {stderr}");
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
    }
    for (file, says) in
        [("none.wasm", "No such file"), (".", "Is a directory"), ("/dev/zero", "it is larger than")]
    {
        let inspected = project.run(&["inspect", file]);
        assert!(inspected.code == Some(CONTRACT) && inspected.stderr.contains(says), "{file}: {inspected:?}");
    }
}

#[test]
fn a_component_is_run_only_with_the_signature_that_the_contract_asks_for() {
    let good = std::fs::read_to_string(corpus("handler.wasm.minisig")).unwrap();
    let another = "RWRK98niQhoTMWYCJTJfU1y8DpgZASP0Ws+RLTsXQXfil7kVJkqdAuj/";
    let said = |file: &str| format!("signature: {{ publicKey: {KEY:?}, file: {file} }}, deadlineMs: 60000");
    for (signature, says) in [
        (format!("signature: {{ publicKey: {KEY:?} }}, deadlineMs: 60000"), None),
        (said("good.minisig"), None),
        (said("another-key.minisig"), Some(format!("it was made with another key than `{KEY}`"))),
        (said("another-file.minisig"), Some("it is not the signature of this file".to_owned())),
        (said("legacy.minisig"), Some("it is a legacy signature".to_owned())),
        (said("cut-off.minisig"), Some("it is not a minisign signature, or is cut off".to_owned())),
        (said("forged.minisig"), Some("it is not the signature of this file".to_owned())),
        (said("none.minisig"), Some("`none.minisig`, cannot be read".to_owned())),
        (said("handler.wasm"), Some("cannot be read".to_owned())),
        (good_key(another), Some(format!("another key than `{another}`"))),
    ] {
        let project = project(&[
            "handler.wasm.minisig",
            "another-key.minisig",
            "another-file.minisig",
            "legacy.minisig",
        ]);
        project.write("good.minisig", &good);
        project.write("cut-off.minisig", &good[..good.len() / 2]);
        project.write("forged.minisig", good.replace("handler of the tests", "handler of nobody"));
        let contract = std::fs::read_to_string(project.path("contract.yaml")).unwrap();
        project.write("contract.yaml", contract.replace("deadlineMs: 60000", &signature));
        let check = project.run(&["check", "contract.yaml"]);
        let Some(says) = says else {
            assert_eq!(check.code, Some(0), "{signature}: {}", check.stderr);
            continue;
        };
        assert_eq!(check.code, Some(CONTRACT), "{signature}");
        for part in [says.as_str(), "handler.wasm", "= help: ", "contract.yaml:"] {
            assert!(check.stderr.contains(part), "{signature} should give `{part}`:\n{}", check.stderr);
        }
    }
    let project = project(&["handler.wasm.minisig"]);
    let contract = std::fs::read_to_string(project.path("contract.yaml")).unwrap();
    project.write("contract.yaml", contract.replace("deadlineMs: 60000", &good_key(KEY)));
    // A component that was changed, even where it is none any more: nothing of it is read before its signature is checked.
    project.write("handler.wasm", "#!/bin/sh");
    let check = project.run(&["check", "contract.yaml"]);
    assert!(check.stderr.contains("it is not the signature of this file"), "{}", check.stderr);
}

fn good_key(key: &str) -> String {
    format!("signature: {{ publicKey: {key:?} }}, deadlineMs: 60000")
}

#[test]
fn only_files_that_we_wrote_are_loaded_from_the_cache() {
    let project = Project::new(&Worker::new(ECHOES));
    let check = |arguments: &[&str]| {
        let mut command = project.command(&[&["check", "contract.yaml"], arguments].concat());
        command.env_remove("WARREN_CACHE_DIR").arg("--cache-dir").arg(project.path("cache"));
        let check = project.spawn(command).finish();
        assert_eq!(check.code, Some(0), "{}", check.stderr);
        check.stderr
    };
    let compiled = |said: &str| said.contains("compiling the handler");
    assert!(compiled(&check(&[])));
    assert!(!compiled(&check(&[])), "the second time it is there");
    let files: Vec<PathBuf> =
        std::fs::read_dir(project.path("cache")).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let sound = std::fs::read(file).unwrap();
    assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600);

    let mut changed = sound.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(file, changed).unwrap();
    let said = check(&[]);
    assert!(compiled(&said) && said.contains("damaged file in the compile cache"), "{said}");

    std::fs::set_permissions(file, Permissions::from_mode(0o622)).unwrap();
    let said = check(&[]);
    assert!(
        compiled(&said) && said.contains("a file that others may write to in the compile cache"),
        "{said}"
    );

    std::fs::remove_file(file).unwrap();
    project.write("elsewhere", &sound);
    std::os::unix::fs::symlink(project.path("elsewhere"), file).unwrap();
    let said = check(&[]);
    assert!(compiled(&said) && said.contains("something that is no file in the compile cache"), "{said}");

    // Only root can plant a file of somebody else.
    if std::os::unix::fs::chown(file, Some(12_345), None).is_ok() {
        let said = check(&[]);
        assert!(compiled(&said) && said.contains("a file of somebody else in the compile cache"), "{said}");
    }
    assert!(!compiled(&check(&[])), "what took its place is ours again");
}

#[test]
fn compiled_code_is_never_a_component() {
    let project =
        Project::new(&Worker::new(SUCCEEDS).to_string().replace("handlers/succeeds.wasm", "it.cwasm"));
    // What a cache file holds behind its checksum begins like this, and what `wasmtime compile` writes.
    project.write("it.cwasm", b"\x7fELF\x02\x01\x01\xc8");
    let check = project.run(&["check", "contract.yaml"]);
    assert_eq!(check.code, Some(CONTRACT));
    assert!(check.stderr.contains("compiled components are never loaded from outside"), "{}", check.stderr);
}
