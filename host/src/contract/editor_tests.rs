//! The schema that editors get accepts exactly what the parser takes for the shape of a contract, on the whole corpus.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::Files;
use super::source::Source;
use super::tests::{corpus, is_contract, variable};
use super::{Surroundings, editor_schema, shape};

/// The contract files below `folder`: those on top, and those that are included.
fn all(folder: &Path, found: &mut Vec<(PathBuf, bool)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "schemas" && name != "asyncapi") {
            all(&path, found);
        } else if is_contract(&path) {
            let folder = folder.file_name().unwrap_or_default();
            found.push((path, folder == "parts"));
        }
    }
}

/// What is wrong with the shape of one file, without those that it includes.
fn shape_problems(text: &str, fragment: bool) -> Vec<String> {
    let read_file = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let surroundings = Surroundings { read_file: &read_file, variable: &variable };
    let mut problems = Vec::new();
    let (mut files, root) = Files::read("c.yaml", text, surroundings, &mut problems);
    // Of a fragment: what only the first file may say, and what it has to.
    let mut told = Vec::new();
    let Some(mut root) = root else { return told };
    if let (true, Value::Object(root)) = (fragment, &mut root) {
        let first_only = ["contract", "version", "description", "memoryMiB", "concurrency", "stackKiB"];
        told.extend(first_only.iter().filter(|key| root.contains_key(**key)).map(|key| format!("`{key}`")));
        root.insert("contract".to_owned(), "c".into());
    }
    let before = problems.len();
    shape::read(root, &mut files, &mut problems);
    // An editor does not know what variables are set to.
    let here = problems[before..].iter().filter(|problem| !files.has_variable(&problem.pointer));
    told.extend(here.map(|problem| problem.says.clone()));
    told
}

#[test]
fn the_schema_for_editors_accepts_what_the_parser_does() {
    let validators =
        [false, true].map(|fragment| jsonschema::draft202012::new(&editor_schema(fragment)).unwrap());
    let mut found = Vec::new();
    all(&corpus(""), &mut found);
    let (mut accepted, mut refused) = (0, 0);
    for (path, fragment) in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(source) = Source::parse("c.yaml", &text) else { continue };
        let problems = shape_problems(&text, fragment);
        let errors: Vec<String> = validators[usize::from(fragment)]
            .iter_errors(&source.root)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(
            problems.is_empty(),
            errors.is_empty(),
            "{}: the parser says {problems:?}, the schema {errors:?}",
            path.display()
        );
        if problems.is_empty() { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 100 && refused > 40, "{accepted} accepted, {refused} refused");
}

#[test]
fn the_schemas_for_editors_are_schemas_and_explain_themselves() {
    for fragment in [false, true] {
        let schema = editor_schema(fragment);
        assert!(jsonschema::meta::is_valid(&schema));
        described("", &schema);
    }
}

/// Every key has a description that an editor shows without following a `$ref`.
fn described(at: &str, schema: &Value) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        assert!(property["description"].is_string(), "{at}/{name} has no description");
    }
    for (name, part) in schema["$defs"].as_object().into_iter().flatten() {
        described(name, part);
    }
}
