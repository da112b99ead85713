//! The test guests for worlds of other hosts: `guests/foreign`, and a contract for one of them.
#![deny(dead_code)]

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::host::Project;

/// What its components are called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Wasmcloud2,
    Wasmcloud3,
    Messaging,
}

/// A test guest that does what its messages order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) world: World,
}

const fn guest(name: &'static str, world: World) -> Guest {
    Guest { name, world }
}

pub(crate) const WASMCLOUD_2: Guest = guest("wasmcloud_2", World::Wasmcloud2);
pub(crate) const WASMCLOUD_3: Guest = guest("wasmcloud_3", World::Wasmcloud3);
pub(crate) const WASMCLOUD_BOTH: Guest = guest("wasmcloud_both", World::Wasmcloud3);
pub(crate) const WASI_MESSAGING: Guest = guest("wasi_messaging", World::Messaging);
pub(crate) const WASI_MESSAGING_ASYNC: Guest = guest("wasi_messaging_async", World::Messaging);
/// There only where the tools for Python are.
const PYTHON: [Guest; 2] =
    [guest("python_wasmcloud_2", World::Wasmcloud2), guest("python_wasi_messaging", World::Messaging)];

/// Those that carry out all orders.
pub(crate) fn all() -> Vec<Guest> {
    static ALL: OnceLock<Vec<Guest>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let rust = [WASMCLOUD_2, WASMCLOUD_3, WASI_MESSAGING, WASI_MESSAGING_ASYNC];
        let python = PYTHON.into_iter().filter(|guest| guest.component().exists());
        rust.into_iter().chain(python.inspect(|guest| compile(*guest))).collect()
    });
    all.clone()
}

/// Puts a component into the compile cache of the tests. On a busy machine that takes longer than a test waits for a host.
fn compile(guest: Guest) {
    let project = Project::new(&Inbox::new(guest));
    let mut check = project.command(&["check", "contract.yaml", "--compile-seconds=600", "--log=off"]);
    let compiled = check.stdout(Stdio::null()).status().expect("the binary runs");
    assert!(compiled.success(), "{} is compiled", guest.name);
}

impl Guest {
    /// The component.
    pub(crate) fn component(self) -> PathBuf {
        folder().join(format!("{}.wasm", self.name))
    }
}

/// Where the components are; built first if one is missing.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
        let folder = target.join("foreign");
        if !folder.join("wasmcloud_both.wasm").exists() {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
            let mut build = Command::new(root.join("guests/foreign/build"));
            assert!(build.arg(&folder).status().expect("it runs").success(), "the guests are built");
        }
        folder
    })
}

/// A contract with one consumer, `worker`, on the queue `work`, which gets what comes to the exchange `in`. It may publish
/// through `echoed` (exchange `out`, key `echo.ed`), through `first` and `second` (`out`, both `both`), and through
/// `answers` into the queue `answers`; not through `secret`.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    guest: Guest,
    handler: String,
}

impl Inbox {
    pub(crate) fn new(guest: Guest) -> Self {
        Self { guest, handler: "deadlineMs: 60000".to_owned() }
    }

    /// What stands in `handler` beside the component.
    pub(crate) fn handler(mut self, handler: &str) -> Self {
        handler.clone_into(&mut self.handler);
        self
    }
}

impl fmt::Display for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (component, handler) = (self.guest.component(), &self.handler);
        write!(
            f,
            "contract: tests
version: 1.0.0
exchanges: {{ in: {{ type: topic }}, out: {{ type: topic }}, dlx: {{ type: direct }} }}
queues:
  work:
    deadLetter: {{ exchange: dlx, routingKey: dead }}
    retry: {{ mode: ttl-backoff, maxRetries: 1, initialDelayMs: 50, maxDelayMs: 50, jitter: false }}
  echoes: {{ onPoison: drop }}
  answers: {{ onPoison: drop }}
  dead: {{}}
bindings:
  echoes: {{ exchange: out, queue: echoes, routingKey: '#' }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages:
  task: {{ payload: {{ type: object }} }}
  echo: {{ payload: {{ type: object, properties: {{ forbidden: false }} }} }}
events:
  task: {{ exchange: in, routingKey: do.it, message: task }}
  echoed: {{ exchange: out, routingKey: echo.ed, message: echo }}
  first: {{ exchange: out, routingKey: both, message: echo }}
  second: {{ exchange: out, routingKey: both, message: echo }}
  secret: {{ exchange: out, routingKey: secret, message: echo }}
publishers:
  answers: {{ exchange: '', routingKey: answers, message: echo }}
consumers:
  worker:
    event: task
    queue: work
    handler: {{ component: {component:?}, memoryMiB: 256, {handler} }}
    publishes: [echoed, first, second, answers]
"
        )
    }
}
