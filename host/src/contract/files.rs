//! The files of one contract as one tree of values: the sections of included files are added to those of the first.
//!
//! Remembers which file each entry came from, so that a problem found later is shown where it was written, and paths
//! are taken relative to the file they stand in. Variables are put in while a file is read.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::Surroundings;
use super::problem::{Problem, brief, enough};
use super::source::{Part, Source, join, unescape};
use super::substitute;

/// How many files one contract may be spread over.
const FILES_MAX: usize = 64;
/// What only the first file may say.
pub(super) const FIRST_ONLY: [&str; 6] =
    ["contract", "version", "description", "memoryMiB", "concurrency", "stackKiB"];

/// The files of one contract.
#[derive(Debug, Clone)]
pub(super) struct Files {
    files: Vec<File>,
    /// JSON pointer in the whole contract (of an entry or a section) -> the file, and the pointer there.
    origins: HashMap<String, (usize, String)>,
    /// Names of the variables that were put in.
    variables: BTreeSet<String>,
    /// Pointers of values that stand under a misspelt key: as it was meant, and as it is written.
    meant: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct File {
    /// Relative to the contract's folder; the first file's is its bare name.
    path: String,
    source: Source,
}

impl Files {
    /// Reads the contract `text` and what it includes. Without a value, `problems` says why.
    pub(super) fn read(
        name: &str,
        text: &str,
        surroundings: Surroundings<'_>,
        problems: &mut Vec<Problem>,
    ) -> (Self, Option<Value>) {
        let mut reading = Reading {
            files: Self {
                files: Vec::new(),
                origins: HashMap::new(),
                variables: BTreeSet::new(),
                meant: Vec::new(),
            },
            root: Value::Null,
            surroundings,
            problems,
        };
        let own_path = name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
        let sound = reading.add(own_path, name, text);
        let mut next = 0;
        while sound && next < reading.files.files.len() {
            reading.include_from(next);
            next += 1;
        }
        let root = std::mem::take(&mut reading.root);
        (reading.files, sound.then_some(root))
    }

    pub(super) fn source(&self, file: usize) -> &Source {
        &self.files[file].source
    }

    /// The file that the value at `pointer` of the whole contract stands in, and its pointer there.
    pub(super) fn locate(&self, pointer: &str) -> (usize, String) {
        let mut pointer = Cow::Borrowed(pointer);
        for (meant, written) in self.meant.iter().rev() {
            if let Some(rest) = pointer.strip_prefix(meant.as_str())
                && (rest.is_empty() || rest.starts_with('/'))
            {
                pointer = Cow::Owned(format!("{written}{rest}"));
            }
        }
        let pointer = pointer.as_ref();
        let step = |from: usize| {
            pointer.get(from + 1..).and_then(|rest| rest.find('/')).map_or(pointer.len(), |at| from + 1 + at)
        };
        let section = step(0);
        for end in [step(section), section] {
            if let Some((file, prefix)) = self.origins.get(&pointer[..end]) {
                return (*file, format!("{prefix}{}", &pointer[end..]));
            }
        }
        (0, pointer.to_owned())
    }

    /// Remembers that what is `written` there is read as if it were at the pointer that was `meant`.
    pub(super) fn reads_as(&mut self, meant: &str, written: &str) {
        self.meant.push((meant.to_owned(), written.to_owned()));
    }

    /// Whether the value at `pointer` was written with a variable.
    pub(super) fn has_variable(&self, pointer: &str) -> bool {
        let (file, pointer) = self.locate(pointer);
        let source = &self.files[file].source;
        source.text[source.range(&pointer, Part::Value)].contains("${")
    }

    /// Whether a comment follows where the value at `pointer` would be.
    pub(super) fn comment_follows(&self, pointer: &str) -> bool {
        let (file, pointer) = self.locate(pointer);
        let source = &self.files[file].source;
        let rest = source.text.get(source.range(&pointer, Part::Value).end..).unwrap_or_default();
        rest.lines().next().unwrap_or_default().trim_start_matches([':', ' ', '\t']).starts_with('#')
    }

    /// `path`, written at `pointer`, relative to the contract's folder.
    pub(super) fn path_from(&self, pointer: &str, path: &str) -> String {
        resolve(&self.files[self.locate(pointer).0].path, path)
    }

    /// Names of the environment variables that the contract uses.
    pub(super) fn variables(&self) -> &BTreeSet<String> {
        &self.variables
    }
}

/// `path` relative to the folder of `file`, without `.` and inner `..`.
pub(super) fn resolve(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = Vec::new();
    for step in folder.split('/').chain(path.split('/')) {
        match step {
            "" | "." => {}
            ".." if steps.last().is_some_and(|last| *last != "..") => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// Why a file cannot be read, without the number that the system has for it.
pub(super) fn why_not_read(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Why `path` cannot be a file beside the contract, if so.
pub(super) fn path_fault(at: &str, path: &str) -> Option<Problem> {
    if path.contains("://") {
        let says = format!("`{}` is not a file beside the contract", brief(path));
        return Some(
            Problem::at(at, says)
                .because("a contract means the same without a network")
                .hint("copy it into a file and refer to that"),
        );
    }
    path.starts_with('/').then(|| {
        Problem::at(at, format!("`{}` is an absolute path", brief(path)))
            .hint("write it relative to the contract file")
    })
}

struct Reading<'a> {
    files: Files,
    root: Value,
    surroundings: Surroundings<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    /// Parses one file, puts variables in and adds it to the whole.
    fn add(&mut self, path: String, name: &str, text: &str) -> bool {
        let index = self.files.files.len();
        let (mut source, fault) = match Source::parse(name, text) {
            Ok(source) => (source, None),
            Err(failed) => (failed.0, Some(failed.1)),
        };
        let sound = fault.is_none();
        self.problems.extend(fault.map(|problem| problem.in_file(index)));
        if sound {
            let mut root = std::mem::take(&mut source.root);
            let found = substitute::variables(&mut root, self.surroundings.variable);
            self.files.variables.extend(found.names);
            self.problems.extend(found.problems.into_iter().map(|problem| problem.in_file(index)));
            source.root = root;
        }
        let root = source.root.clone();
        self.files.files.push(File { path, source });
        match (index, root) {
            (0, root) => self.root = root,
            (_, Value::Object(sections)) => self.merge(index, sections),
            (_, _) if sound => self.problems.push(
                Problem::at("", "an included file holds sections of a contract, such as `queues:`")
                    .in_file(index),
            ),
            _ => {}
        }
        sound
    }

    fn include_from(&mut self, file: usize) {
        let Some(Value::Array(includes)) = self.files.files[file].source.root.get("include").cloned() else {
            return;
        };
        for (index, include) in includes.iter().enumerate() {
            if enough(self.problems) {
                break;
            }
            let Some(written) = include.as_str() else { continue }; // the shape says so
            let at = format!("/include/{index}");
            if let Some(problem) = path_fault(&at, written) {
                self.problems.push(problem.in_file(file));
                continue;
            }
            let path = resolve(&self.files.files[file].path, written);
            if self.files.files.iter().any(|known| known.path == path) {
                continue;
            }
            if self.files.files.len() >= FILES_MAX {
                let says = format!("a contract may be spread over {FILES_MAX} files");
                self.problems.push(Problem::at(at, says).in_file(file));
                return;
            }
            match (self.surroundings.read_file)(&path) {
                Ok(text) => {
                    let name = self.shown(&path);
                    self.add(path, &name, &text);
                }
                Err(error) => {
                    let says = format!("`{}` cannot be read: {}", brief(written), why_not_read(&error));
                    self.problems.push(Problem::at(at, says).in_file(file));
                }
            }
        }
    }

    /// A path as the user would name it from where the first file was named.
    fn shown(&self, path: &str) -> String {
        let first = &self.files.files[0];
        match first.source.name.strip_suffix(&first.path) {
            Some(folder) => format!("{folder}{path}"),
            None => path.to_owned(),
        }
    }

    fn merge(&mut self, file: usize, sections: Map<String, Value>) {
        let Value::Object(root) = &mut self.root else { return };
        for (section, value) in sections {
            let at = join("", &section);
            if section == "include" || section == "$schema" {
                continue; // each file has its own
            }
            if FIRST_ONLY.contains(&section.as_str()) {
                self.problems.push(
                    Problem::at(at, format!("`{section}` belongs into the file that includes this one"))
                        .on_key()
                        .hint("to refer to a contract of its own, name it in `domains`")
                        .in_file(file),
                );
                continue;
            }
            match (root.get_mut(&section), value) {
                (None, value) => {
                    root.insert(section, value);
                    self.files.origins.insert(at.clone(), (file, at));
                }
                (Some(Value::Object(whole)), Value::Object(entries)) => {
                    for (name, entry) in entries {
                        let at = join(&at, &name);
                        match whole.get(&name) {
                            None => {
                                whole.insert(name, entry);
                                self.files.origins.insert(at.clone(), (file, at));
                            }
                            Some(other) if *other == entry => {}
                            Some(_) => {
                                let problem = two_owners(&at, &name);
                                self.problems.push(problem.in_file(file));
                            }
                        }
                    }
                }
                (Some(Value::Array(whole)), Value::Array(items)) => {
                    for (index, item) in items.into_iter().enumerate() {
                        let there = format!("{at}/{}", whole.len());
                        self.files.origins.insert(there, (file, format!("{at}/{index}")));
                        whole.push(item);
                    }
                }
                (Some(first), value) => {
                    let kind = |value: &Value| match value {
                        Value::Object(_) => "a mapping",
                        Value::Array(_) => "a list",
                        _ => "a single value",
                    };
                    let says = format!(
                        "`{}` is {} here, and {} in another file",
                        brief(&section),
                        kind(&value),
                        kind(first)
                    );
                    self.problems
                        .push(Problem::at(at.clone(), says).on_key().in_file(file).also(at, "in this file"));
                }
            }
        }
    }
}

fn two_owners(at: &str, name: &str) -> Problem {
    Problem::at(at, format!("`{}` is there twice, and the two differ", brief(&unescape(name))))
        .on_key()
        .hint("define it in one file; the others see it")
        .also(at, "it is here already")
}
