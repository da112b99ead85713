//! The schemas of messages: inline or in files beside the contract, each made into one schema without references to
//! other files.
//!
//! A file that is referred to, from the contract or from another schema, becomes an entry of `$defs`, and references to
//! it lead there. So a schema can be compiled, compared and exported as one value. Remote references are refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Surroundings;
use super::files::{path_fault, resolve, why_not_read};
use super::problem::{Problem, brief};
use super::source::{Source, join};

/// How many files one schema may be spread over.
const FILES_MAX: usize = 64;
/// The largest schema file, in bytes.
const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Keywords whose values are data, in which a `$ref` is not a reference.
pub(super) const DATA: [&str; 5] = ["const", "enum", "default", "examples", "example"];

/// Makes one schema of what is written at `at`; `from` is the path of the file that it stands in.
pub(super) fn bundle(
    at: &str,
    written: &Map<String, Value>,
    from: &str,
    surroundings: Surroundings<'_>,
) -> Result<Value, Problem> {
    let mut bundle = Bundle { surroundings, names: BTreeMap::new(), defs: Map::new() };
    // The whole schema is one file: take it as it is, so that its own `#/...` stay right.
    let file = written.get("$ref").and_then(Value::as_str).filter(|file| !file.starts_with('#'));
    let mut root = match file {
        Some(reference) if !reference.contains('#') && only_ref(written) => {
            let at = join(at, "$ref");
            let path = bundle.path(&at, from, reference)?;
            bundle.names.insert(path.clone(), String::new());
            let mut schema = bundle.read(&at, &path, reference)?;
            bundle.rewrite(&mut schema, Place { file: &path, base: "", at: &at, inline: false })?;
            schema
        }
        _ => {
            let mut schema = Value::Object(written.clone());
            bundle.rewrite(&mut schema, Place { file: from, base: "", at, inline: true })?;
            schema
        }
    };
    let (defs, names) = (bundle.defs, bundle.names.len());
    if !defs.is_empty() && names > 0 {
        let Value::Object(object) = &mut root else {
            return Err(Problem::at(at, "a schema that refers to files has to be a mapping"));
        };
        match object.entry("$defs").or_insert_with(|| json!({})) {
            Value::Object(own) => own.extend(defs),
            _ => return Err(Problem::at(at, "`$defs` of a schema has to be a mapping")),
        }
    }
    Ok(root)
}

/// Beside `$ref` there are only texts for readers.
fn only_ref(written: &Map<String, Value>) -> bool {
    written.keys().all(|key| matches!(key.as_str(), "$ref" | "title" | "description" | "$comment"))
}

/// Where a part of a schema stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    file: &'p str,
    /// Where it is placed in the bundle.
    base: &'p str,
    /// The pointer in the contract of it, or of the reference that led to its file.
    at: &'p str,
    /// Whether it stands in the contract itself.
    inline: bool,
}

struct Bundle<'a> {
    surroundings: Surroundings<'a>,
    /// Path of a file -> its name in `$defs`; empty for the root itself.
    names: BTreeMap<String, String>,
    defs: Map<String, Value>,
}

impl Bundle<'_> {
    /// Leads every reference of `value`, which stands at `place`, to its place in the bundle.
    fn rewrite(&mut self, value: &mut Value, place: Place<'_>) -> Result<(), Problem> {
        match value {
            Value::Array(items) => items.iter_mut().enumerate().try_for_each(|(index, item)| {
                let at = place.within(&index.to_string());
                self.rewrite(item, Place { at: &at, ..place })
            }),
            Value::Object(object) => {
                for (key, item) in object.iter_mut() {
                    let at = place.within(key);
                    let place = Place { at: &at, ..place };
                    match (key.as_str(), &mut *item) {
                        ("$ref" | "$dynamicRef", Value::String(reference)) => {
                            *reference = self.reference(reference, place)?;
                        }
                        (key, Value::Object(named)) if is_named(key) => {
                            named.iter_mut().try_for_each(|(name, item)| {
                                let at = place.within(name);
                                self.rewrite(item, Place { at: &at, ..place })
                            })?;
                        }
                        (key, item) if !DATA.contains(&key) => self.rewrite(item, place)?,
                        _ => {}
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Where `reference`, written at `place`, leads within the bundle.
    fn reference(&mut self, reference: &str, place: Place<'_>) -> Result<String, Problem> {
        let Place { file, base, at, inline } = place;
        let from = |problem: Problem| match inline {
            true => problem,
            false => problem.because(format!("`{}` refers to it", brief(file))),
        };
        let (target, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if target.is_empty() {
            return Ok(match fragment {
                "" => format!("#{base}"),
                pointer if pointer.starts_with('/') => format!("#{base}{pointer}"),
                anchor => format!("#{anchor}"),
            });
        }
        let path = self.path(at, file, target).map_err(from)?;
        if !self.names.contains_key(&path) {
            if self.names.len() >= FILES_MAX {
                return Err(Problem::at(at, format!("a schema may be spread over {FILES_MAX} files")));
            }
            let name = self.name(&path);
            self.names.insert(path.clone(), name.clone());
            let mut schema = self.read(at, &path, target).map_err(from)?;
            let base = format!("/$defs/{name}");
            self.rewrite(&mut schema, Place { file: &path, base: &base, at, inline: false })?;
            // An address of its own would be the root that its references lead from.
            if let Value::Object(schema) = &mut schema {
                schema.remove("$id");
            }
            self.defs.insert(name, schema);
        }
        let base = match self.names[&path].as_str() {
            "" => String::new(),
            name => format!("/$defs/{name}"),
        };
        match fragment {
            "" => Ok(format!("#{base}")),
            pointer if pointer.starts_with('/') => Ok(format!("#{base}{pointer}")),
            _ => Err(from(
                Problem::at(at, format!("`{}` does not end in a JSON pointer", brief(reference)))
                    .hint(format!("write `{target}#/$defs/...`")),
            )),
        }
    }

    /// A name for a file that is free in `$defs`, such as `order.json`.
    fn name(&self, path: &str) -> String {
        let plain: String = path
            .rsplit('/')
            .next()
            .unwrap_or(path)
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '_' })
            .collect();
        let taken = |name: &str| self.names.values().any(|known| known == name);
        let mut name = format!("file:{plain}").replace(':', "-");
        while taken(&name) {
            name.push('_');
        }
        name
    }

    fn path(&self, at: &str, file: &str, target: &str) -> Result<String, Problem> {
        match path_fault(at, target) {
            Some(problem) => Err(problem),
            None => Ok(resolve(file, target)),
        }
    }

    fn read(&self, at: &str, path: &str, written: &str) -> Result<Value, Problem> {
        let written = brief(written);
        let text = (self.surroundings.read_file)(path).map_err(|error| {
            Problem::at(at, format!("the schema `{written}` cannot be read: {}", why_not_read(&error)))
        })?;
        if text.len() > FILE_BYTES_MAX {
            return Err(Problem::at(at, format!("the schema `{written}` is larger than 1 MiB")));
        }
        if path.ends_with(".yaml") || path.ends_with(".yml") {
            let source = Source::parse(path, &text).map_err(|failed| {
                let (source, problem) = *failed;
                let (line, _) = source.position(problem.span().map_or(0, |span| span.start));
                let says = format!("the schema `{written}` is not YAML: line {line}: {}", problem.says);
                Problem::at(at, says)
            })?;
            return Ok(source.root);
        }
        serde_json::from_str(&text)
            .map_err(|error| Problem::at(at, format!("the schema `{written}` is not JSON: {error}")))
    }
}

impl Place<'_> {
    /// The pointer of what is at `step` here: within a file it stays that of the reference to it.
    fn within(&self, step: &str) -> String {
        if self.inline { join(self.at, step) } else { self.at.to_owned() }
    }
}

/// Keywords whose values are schemas by name: the names are no keywords.
pub(super) fn is_named(key: &str) -> bool {
    matches!(key, "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas")
}
