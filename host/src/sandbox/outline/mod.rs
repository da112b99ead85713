//! What a component is, read from its bytes: nothing of it is compiled or run. So it is fast, and the component may be
//! anybody's.

mod needs;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{
    ComponentName, Encoding, KnownCustom, MemoryType, Parser, Payload, Validator, WasmFeatures,
};

use super::inspect::{self, ComponentError};
use super::worlds::Flavour;

pub use needs::{Capability, Need};

/// The longest text that is taken from a component, in bytes.
const TEXT_BYTES_MAX: usize = 200;
/// The most entries of anything that is listed.
const ENTRIES_MAX: usize = 1_000;

/// A component, from outside.
#[derive(Debug)]
pub struct Outline {
    /// The name in its name section.
    pub name: Option<String>,
    /// What it imports, by name, with what that needs.
    pub imports: Vec<(String, Need)>,
    /// What it exports, by name.
    pub exports: Vec<String>,
    /// What made it: `language`, `processed-by`, `sdk`, each with names and versions.
    pub producers: BTreeMap<String, BTreeSet<(String, String)>>,
    /// How many core modules it has.
    pub core_modules: usize,
    /// The memories of its core modules.
    pub memories: Vec<Memory>,
    /// Whether it has something of the component model's asynchronous part.
    pub asynchronous: bool,
    /// The functions of what it exports, where that is an interface that a handler may have.
    handlers: BTreeMap<String, Vec<(String, String)>>,
}

/// A memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What it has at the start.
    pub initial: u64,
    /// What it may grow to; none if it does not say.
    pub maximum: Option<u64>,
}

impl Outline {
    /// Reads a component.
    pub fn read(bytes: &[u8]) -> Result<Self, ComponentError> {
        inspect::binary(bytes)?;
        let synchronous = WasmFeatures::default() - asynchronous_features();
        match read(bytes, synchronous) {
            Ok(outline) => Ok(outline),
            Err(_) => match read(bytes, WasmFeatures::all()) {
                Ok(outline) => Ok(Self { asynchronous: true, ..outline }),
                Err(error) => {
                    Err(ComponentError::Malformed { reason: clean(error.message()), offset: error.offset() })
                }
            },
        }
    }

    /// The interfaces of handlers that it exports with the right types, in the order in which they are to be called.
    pub(super) fn flavours(&self) -> Vec<Flavour> {
        Flavour::ALL.into_iter().filter(|flavour| self.misfit(*flavour).is_none()).collect()
    }

    /// Those that it exports with other types.
    pub(super) fn nearly(&self) -> Vec<Flavour> {
        let named = |flavour: &Flavour| self.handlers.keys().any(|name| flavour.is_export(name));
        Flavour::ALL.into_iter().filter(named).filter(|flavour| self.misfit(*flavour).is_some()).collect()
    }

    /// Why it cannot be called by an interface. None if it can.
    pub(super) fn misfit(&self, flavour: Flavour) -> Option<String> {
        let (function, wanted) = needs::function(flavour);
        let mut named = self.handlers.iter().filter(|(name, _)| flavour.is_export(name)).peekable();
        if named.peek().is_none() {
            return Some("it does not export it".to_owned());
        }
        let found = named.filter_map(|(_, functions)| functions.iter().find(|(name, _)| name == function));
        let mut why = format!("it has no function `{function}`");
        for (_, shape) in found {
            if shape == wanted {
                return None;
            }
            why = format!("`{function}` is {}", needs::difference(shape, wanted));
        }
        Some(why)
    }

    /// What it is as a handler, in a few words: the package of the interface that is called.
    pub fn world(&self) -> Option<&'static str> {
        self.flavours().first().map(|flavour| flavour.name())
    }

    /// Why it cannot be a handler of this host, whatever a contract grants. Empty if it can.
    pub fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.flavours().is_empty() {
            obstacles.push(match inspect::flavours(self) {
                Ok(nearly) => inspect::wrong_type(self, nearly[0], None).to_string(),
                Err(error) => error.to_string(),
            });
        }
        for (name, need) in &self.imports {
            if need.capability == Capability::NotProvided {
                obstacles.push(format!("it imports `{name}`, which this host does not provide"));
            }
        }
        obstacles
    }
}

/// What a component has that the engine for synchronous components does not take.
fn asynchronous_features() -> WasmFeatures {
    WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_MORE_ASYNC_BUILTINS
        | WasmFeatures::CM_ASYNC_STACKFUL
        | WasmFeatures::CM_THREADING
        | WasmFeatures::CM_ERROR_CONTEXT
}

fn read(bytes: &[u8], features: WasmFeatures) -> Result<Outline, wasmparser::BinaryReaderError> {
    let mut reader = Reader::default();
    let mut validator = Validator::new_with_features(features);
    let mut types = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        // Bodies of functions are not looked into: compiling them will.
        if let wasmparser::ValidPayload::End(end) = validator.payload(&payload)? {
            types = Some(end);
        }
        reader.payload(&payload)?;
    }
    let mut handlers = BTreeMap::new();
    if let Some(types) = &types {
        let handler = |name: &&String| Flavour::ALL.iter().any(|flavour| flavour.is_export(name));
        for name in reader.exports.iter().filter(handler) {
            let item = types.as_ref().component_item_for_export(name);
            if let Some(functions) = item.and_then(|item| shape::functions(types.as_ref(), &item.ty)) {
                handlers.insert(name.clone(), functions);
            }
        }
    }
    let imports = reader.imports.into_iter().map(|name| (name.clone(), needs::need(&name))).collect();
    Ok(Outline {
        name: reader.name,
        imports,
        exports: reader.exports,
        producers: reader.producers,
        core_modules: reader.core_modules,
        memories: reader.memories,
        asynchronous: false,
        handlers,
    })
}

/// Gathers while the parser goes through the sections of the component and of everything inside it.
#[derive(Default)]
struct Reader {
    /// The component, and what is open inside it.
    open: Vec<Encoding>,
    name: Option<String>,
    imports: Vec<String>,
    exports: Vec<String>,
    producers: BTreeMap<String, BTreeSet<(String, String)>>,
    core_modules: usize,
    memories: Vec<Memory>,
}

impl Reader {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), wasmparser::BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.open.push(*encoding);
                self.core_modules += usize::from(*encoding == Encoding::Module);
            }
            Payload::End(_) => drop(self.open.pop()),
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.memory(memory?);
                }
            }
            Payload::ComponentImportSection(section) if self.open.len() == 1 => {
                for import in section.clone() {
                    push(&mut self.imports, import?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if self.open.len() == 1 => {
                for export in section.clone() {
                    push(&mut self.exports, export?.name.name);
                }
            }
            Payload::CustomSection(section) => self.custom(section.as_known()),
            _ => {}
        }
        Ok(())
    }

    fn memory(&mut self, memory: MemoryType) {
        let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
        let bytes = |pages: u64| pages.saturating_mul(page);
        if self.memories.len() < ENTRIES_MAX {
            self.memories.push(Memory { initial: bytes(memory.initial), maximum: memory.maximum.map(bytes) });
        }
    }

    /// Custom sections say what their makers like. What cannot be read is left out.
    fn custom(&mut self, section: KnownCustom<'_>) {
        match section {
            KnownCustom::ComponentName(names) if self.open.len() == 1 => {
                let mut names = names.into_iter().filter_map(Result::ok);
                self.name = names.find_map(|name| match name {
                    ComponentName::Component { name, .. } => Some(clean(name)),
                    _ => None,
                });
            }
            KnownCustom::Producers(fields) => {
                for field in fields.into_iter().filter_map(Result::ok) {
                    for value in field.values.into_iter().filter_map(Result::ok) {
                        self.producer(field.name, value.name, value.version);
                    }
                }
            }
            _ => {}
        }
    }

    fn producer(&mut self, field: &str, name: &str, version: &str) {
        let entries: usize = self.producers.values().map(BTreeSet::len).sum();
        if entries < ENTRIES_MAX {
            let values = self.producers.entry(clean(field)).or_default();
            values.insert((clean(name), clean(version)));
        }
    }
}

fn push(names: &mut Vec<String>, name: &str) {
    if names.len() < ENTRIES_MAX {
        names.push(clean(name));
    }
}

/// A text of a component for a terminal: not too long, and with nothing that a terminal would obey.
fn clean(text: &str) -> String {
    let cut = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut clean: String = cut.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if cut.len() < text.len() {
        clean.push('…');
    }
    clean
}
