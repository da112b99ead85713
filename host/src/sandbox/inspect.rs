//! Says in an operator's words why a component cannot be a handler.

use std::borrow::Cow;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::capabilities;
use super::outline::Outline;
use super::worlds::Flavour;

/// The interface that a handler exports.
const EXPORT: &str = "warren:handler/consumer@0.1.0";
/// The first bytes of every WebAssembly file, and what tells the two kinds apart; those of compiled code.
const MAGIC: &[u8] = b"\0asm";
const ELF: &[u8] = b"\x7fELF";
const CORE_MODULE: [u8; 4] = [1, 0, 0, 0];

/// Why a component cannot be a handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// The file is not WebAssembly at all.
    #[error("it is not a WebAssembly file")]
    NotWasm,
    /// It is compiled already.
    #[error("it is compiled code (`.cwasm`): compiled components are never loaded from outside")]
    Precompiled,
    /// It is a core module.
    #[error("it is a core module, not a component")]
    CoreModule,
    /// It is not what the contract pins.
    #[error("its sha256 is {found}, the contract wants {wanted}")]
    Digest {
        /// What the contract says.
        wanted: String,
        /// What the file has.
        found: String,
    },
    /// It does not compile.
    #[error("it does not compile: {reason}")]
    Invalid {
        /// What the compiler says.
        reason: String,
    },
    /// It cannot be read.
    #[error("it is damaged, or of a newer format: {reason} (at byte {offset})")]
    Malformed {
        /// What the parser says.
        reason: String,
        /// Where.
        offset: usize,
    },
    /// Compiling it takes more than is allowed.
    #[error("it cannot be compiled within bounds: {reason}")]
    TooHard {
        /// What happened.
        reason: String,
    },
    /// One instance of it needs more than the host has for all.
    #[error("one instance of it needs {needs} of the host's {all} places for calls")]
    TooHeavy {
        /// What it needs.
        needs: u32,
        /// What the host has.
        all: u32,
    },
    /// It has another world.
    #[error("it does not export `{EXPORT}`, nor what other hosts call handlers by{}", exports(.found))]
    WrongWorld {
        /// What it exports.
        found: Vec<String>,
    },
    /// It exports the interface with other types, or another version of it.
    #[error("its `{export}` is not the one of this host: {reason}")]
    WrongType {
        /// The interface.
        export: String,
        /// Where they differ.
        reason: String,
    },
    /// It imports what the contract would have to grant.
    #[error("it imports {}, which the contract does not grant", listed(.imports))]
    Ungranted {
        /// Which interfaces.
        imports: Vec<String>,
        /// What the contract has to say for them.
        grants: Vec<&'static str>,
    },
    /// It imports what nothing grants.
    #[error("it imports what it is not granted: {reason}")]
    NotGranted {
        /// Which import.
        reason: String,
    },
    /// No instance of it can be made.
    #[error("it cannot be started: {reason}")]
    NotStartable {
        /// What happened.
        reason: String,
    },
}

impl ComponentError {
    /// What the contract has to say beside, if that is all.
    pub fn grant(&self) -> Option<String> {
        match self {
            Self::Ungranted { grants, .. } => {
                let grants: Vec<String> = grants.iter().map(|grant| format!("`{grant}`")).collect();
                Some(grants.join(" and "))
            }
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        if let Some(grant) = self.grant() {
            return Some(format!("write {grant} at the consumer, or build the component without").into());
        }
        self.usual_hint().map(Cow::Borrowed)
    }

    fn usual_hint(&self) -> Option<&'static str> {
        match self {
            Self::Ungranted { .. } => None,
            Self::NotWasm => Some("`component` names the .wasm file that the build of the handler makes"),
            Self::Precompiled => Some("`component` names the .wasm file that it was compiled from"),
            Self::Malformed { .. } => Some("build it again, or fetch it again: was it cut off?"),
            Self::CoreModule => Some(
                "build for the target wasm32-wasip2, whose linker makes components; `wasm-tools component new` wraps a module",
            ),
            Self::Digest { .. } => Some("deploy the component that was pinned, or change `sha256`"),
            Self::WrongWorld { .. } => Some(
                "a handler targets the world `handler` of wit/handler.wit; in Rust, does the crate end with `warren_guest::handler!(..)`?",
            ),
            Self::WrongType { reason, .. } if reason.contains("has to be synchronous") => {
                Some("in JavaScript, build with `componentize-qjs --sync`")
            }
            Self::WrongType { .. } => Some("build it against the wit/ of this host"),
            Self::NotGranted { .. } => Some(
                "a handler gets `warren:handler/publisher`, `warren:handler/logging` and an empty WASI 0.2 (`wasi:cli`, `wasi:clocks`, `wasi:io`, `wasi:random`, `wasi:filesystem` with no folder, `wasi:sockets` with no network), and what its `capabilities` grant: `wasi:config/store`, `wasi:http/outgoing-handler`, `wasi:keyvalue/store`, `atomics` and `batch`",
            ),
            Self::Invalid { .. } => None,
            Self::TooHard { .. } => Some(
                "a component of your own that needs more gets it with `--compile-seconds` and `--compile-memory-mib`",
            ),
            Self::TooHeavy { .. } => Some("a larger `concurrency` of the contract makes room for it"),
            Self::NotStartable { .. } => Some(
                "an instance is made before the first message, to see that it can be; `memoryMiB` and `deadlineMs` apply",
            ),
        }
    }
}

fn exports(found: &[String]) -> String {
    if found.is_empty() {
        return "; it exports nothing".to_owned();
    }
    format!("; it exports {}", listed(found))
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn binary(bytes: &[u8]) -> Result<(), ComponentError> {
    if bytes.starts_with(ELF) {
        return Err(ComponentError::Precompiled);
    }
    let Some(version) = bytes.strip_prefix(MAGIC) else { return Err(ComponentError::NotWasm) };
    if version.starts_with(&CORE_MODULE) {
        return Err(ComponentError::CoreModule);
    }
    Ok(())
}

/// The interfaces by which a component may be called as a handler, in the order of preference. At least one; those of the
/// wrong type only where there is no other, so that it can be said what else is wrong with it.
pub(super) fn flavours(outline: &Outline) -> Result<Vec<Flavour>, ComponentError> {
    let mut flavours = outline.flavours();
    if flavours.is_empty() {
        flavours = outline.nearly();
    }
    if flavours.is_empty() {
        return Err(ComponentError::WrongWorld { found: outline.exports.clone() });
    }
    Ok(flavours)
}

/// Which import is missing, in one line.
pub(super) fn unlinkable(
    component: &Component,
    engine: &Engine,
    is_granted: impl Fn(&str) -> bool,
    error: &wasmtime::Error,
) -> ComponentError {
    let known = ["warren:handler/", "wasmcloud:messaging/", "wasi:messaging/", "wasi:logging/logging@"];
    let wasi = ["wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/", "wasi:filesystem/", "wasi:sockets/"];
    let component = component.component_type();
    // What is granted has been linked: of the rest, what the contract could grant is told first.
    let ungranted = component.imports(engine).map(|(name, _)| name).filter(|name| !is_granted(name));
    let ungranted: Vec<(String, &'static str)> =
        ungranted.filter_map(|name| Some((name.to_owned(), capabilities::grant_for(name)?))).collect();
    if !ungranted.is_empty() {
        let (imports, mut grants): (Vec<String>, Vec<&str>) = ungranted.into_iter().unzip();
        grants.dedup();
        return ComponentError::Ungranted { imports, grants };
    }
    let strange: Vec<String> = component
        .imports(engine)
        .map(|(name, item)| (name, item.ty))
        .filter(|(name, _)| !known.iter().chain(&wasi).any(|prefix| name.starts_with(prefix)))
        .map(|(name, item)| match item {
            ComponentItem::ComponentFunc(_) => format!("the function `{name}`"),
            _ => format!("`{name}`"),
        })
        .collect();
    let reason = if strange.is_empty() { format!("{error:#}") } else { strange.join(", ") };
    ComponentError::NotGranted { reason }
}

/// Why its types are not those of an interface; `error` is what linking says.
pub(super) fn wrong_type(
    outline: &Outline,
    flavour: Flavour,
    error: Option<&wasmtime::Error>,
) -> ComponentError {
    let said = || error.map(|error| format!("{error:#}")).unwrap_or_default();
    ComponentError::WrongType {
        export: flavour.export().to_owned(),
        reason: outline.misfit(flavour).unwrap_or_else(said),
    }
}

/// An instance of it is not what its type says.
pub(super) fn unbound(flavour: Flavour, error: &wasmtime::Error) -> ComponentError {
    ComponentError::WrongType { export: flavour.export().to_owned(), reason: format!("{error:#}") }
}
