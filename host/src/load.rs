//! Reads what a contract needs from disk: the contract itself, the schemas and the components it refers to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use crate::contract::{Capabilities, Consumer, Contract, Problem, Problems, SignatureSpec, Surroundings};
use crate::metrics::Metrics;
use crate::sandbox::{
    Cache, Compiler, ComponentError, EngineOptions, Granted, Grants, Handler, Lanes, Premises, Sandbox,
    verify_signature,
};

/// The largest component, in bytes. Python's are 18 MB.
const COMPONENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The largest signature, in bytes. They have about 300.
const SIGNATURE_BYTES_MAX: u64 = 16 * 1024;

/// A contract that was read from a file.
#[derive(Debug)]
pub struct Loaded {
    /// The contract.
    pub contract: Contract,
    /// The folder that paths in it are relative to.
    pub folder: PathBuf,
}

/// The handlers of a contract, by consumer, and the engine they live in.
#[derive(Debug)]
pub struct Handlers {
    /// The engine; it has to outlive the calls.
    pub sandbox: Sandbox,
    /// Each consumer's handler.
    pub by_consumer: BTreeMap<String, Handler>,
}

/// Reads and checks the contract at `path`, with the schemas it refers to.
pub fn contract(path: &Path) -> anyhow::Result<Result<Loaded, Box<Problems>>> {
    let text =
        std::fs::read(path).with_context(|| format!("cannot read the contract `{}`", path.display()))?;
    let text =
        String::from_utf8(text).with_context(|| format!("the contract `{}` is not UTF-8", path.display()))?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let read_file = |file: &str| std::fs::read_to_string(folder.join(file));
    let variable = |name: &str| std::env::var(name).ok();
    let surroundings = Surroundings { read_file: &read_file, variable: &variable };
    let contract = Contract::parse(&path.display().to_string(), &text, surroundings);
    Ok(contract.map(|contract| Loaded { contract, folder: folder.clone() }))
}

/// What handlers are made with.
#[derive(Debug)]
pub struct Means {
    /// Where compiled components are kept.
    pub cache: Option<Cache>,
    /// What compiles them.
    pub compiler: Compiler,
    /// The threads that calls compute on.
    pub lanes: Lanes,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// Where what handlers are granted is looked up.
    pub premises: Premises,
}

/// Loads, checks and compiles the component of every consumer. All that is wrong with them is reported at once.
pub async fn handlers(loaded: &Loaded, means: Means) -> anyhow::Result<Result<Handlers, Problems>> {
    let contract = &loaded.contract;
    let options =
        EngineOptions { calls_max: contract.calls_max(), stack_bytes_max: contract.stack_bytes_max };
    let Means { cache, compiler, lanes, metrics, premises } = means;
    let sandbox = Sandbox::new(options, cache, compiler, lanes, metrics)?;
    let mut by_consumer = BTreeMap::new();
    let mut problems = Vec::new();
    for consumer in contract.consumers.values() {
        match handler(loaded, &sandbox, consumer, &premises).await {
            Ok(handler) => {
                by_consumer.insert(consumer.name.clone(), handler);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        return Ok(Ok(Handlers { sandbox, by_consumer }));
    }
    Ok(Err(contract.problems(problems)))
}

async fn handler(
    loaded: &Loaded,
    sandbox: &Sandbox,
    consumer: &Consumer,
    premises: &Premises,
) -> Result<Handler, Vec<Problem>> {
    let at = format!("/consumers/{}/handler/component", consumer.name);
    let component = &consumer.handler.component;
    let path = loaded.folder.join(component);
    let bytes = self::component(&path).map_err(|error| {
        let says = format!("the component `{}` cannot be read: {error}", path.display());
        let problem = Problem::at(&at, says);
        vec![problem.hint("build the handler first; the path is relative to the contract file")]
    })?;
    signed(loaded, consumer, &bytes).map_err(|problem| vec![problem])?;
    let began = Instant::now();
    let grants = grants(&loaded.contract, consumer);
    let granted = Granted::resolve(consumer, stores(&loaded.contract), premises)?;
    let unfit = |error: ComponentError| {
        let says = format!("`{component}` cannot be this handler: {error}");
        let problem =
            if error.grant().is_some() { ungranted(consumer, says) } else { Problem::at(&at, says) };
        vec![match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }]
    };
    let handler =
        sandbox.load(&consumer.name, &bytes, &consumer.handler, grants, granted).await.map_err(unfit)?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(consumer = consumer.name, component, took_ms, "handler is loaded");
    Ok(handler)
}

/// Checks the signature of a component, if it has to have one.
fn signed(loaded: &Loaded, consumer: &Consumer, component: &[u8]) -> Result<(), Problem> {
    let Some(SignatureSpec { public_key, file }) = &consumer.handler.signature else { return Ok(()) };
    let at = format!("/consumers/{}/handler/signature", consumer.name);
    let name = &consumer.handler.component;
    let path = loaded.folder.join(file);
    let mut signature = String::new();
    let read =
        File::open(&path).and_then(|file| file.take(SIGNATURE_BYTES_MAX).read_to_string(&mut signature));
    if let Err(error) = read {
        let says = format!("the signature of `{name}`, `{}`, cannot be read: {error}", path.display());
        let hint = "`minisign -S -m COMPONENT` writes `COMPONENT.minisig`; `file` names another place";
        return Err(Problem::at(at, says).hint(hint));
    }
    verify_signature(component, &signature, public_key).map_err(|error| {
        Problem::at(at, format!("`{file}` does not sign `{name}`: {error}")).hint(error.hint())
    })
}

/// At the line that has to change: that of the capabilities, or of the consumer that has none.
fn ungranted(consumer: &Consumer, says: String) -> Problem {
    let at = format!("/consumers/{}", consumer.name);
    let has_some = consumer.capabilities != Capabilities::default();
    let at = if has_some { format!("{at}/capabilities") } else { at };
    Problem::at(at, says).on_key().because("a handler reaches nothing that its contract does not grant")
}

/// The names of all key-value stores of a contract.
fn stores(contract: &Contract) -> Vec<String> {
    let stores = contract.consumers.values().flat_map(|consumer| &consumer.capabilities.key_value);
    stores.map(|store| store.name.clone()).collect()
}

/// Reads a component.
pub fn component(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Read with a limit, and not asked for its size: that of a device or a pipe says nothing.
    File::open(path)?.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(std::io::Error::other(format!("it is larger than {COMPONENT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn grants(contract: &Contract, consumer: &Consumer) -> Grants {
    let granted = consumer.publishes.iter().filter_map(|name| contract.publishers.get_key_value(name));
    Grants {
        granted: granted.map(|(name, publisher)| (name.clone(), publisher.clone())).collect(),
        known: contract.publishers.keys().cloned().collect(),
    }
}
