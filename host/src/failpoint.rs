//! Named places where a test can end the host with SIGKILL, or have it wait. Only in binaries that are built with the
//! feature `failpoints`; in all others a place costs nothing.
//!
//! `WARREN_FAILPOINTS="NAME=ACTION;NAME=ACTION"`, where an action is `kill(P)`, to kill with probability P at each pass,
//! `kill(id=ID)`, only with the message of that id, or `pause(MS)`, to wait. The names are those of the fault harness:
//! `after-delivery`, `mid-handler`, `after-publish`, `after-confirm`, `before-ack-flush`.

#[cfg(feature = "failpoints")]
pub(crate) use on::{pass, pass_now};

/// A place that a message with this id passes.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[expect(clippy::unused_async, reason = "it awaits where it does something")]
pub(crate) async fn pass(_name: &str, _id: &str) {}

/// As `pass`, where nothing can be awaited.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn pass_now(_name: &str, _id: &str) {}

#[cfg(feature = "failpoints")]
mod on {
    use std::collections::HashMap;
    use std::sync::OnceLock;
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    /// The longest wait before a kill, so that it strikes before, while and after what was begun reaches the broker.
    const KILL_DELAY_MAX_US: u64 = 2_000;

    #[derive(Debug, Clone)]
    enum Action {
        Kill { probability: f64 },
        KillAt { id: String },
        Pause(Duration),
    }

    fn actions() -> &'static HashMap<String, Action> {
        static ACTIONS: OnceLock<HashMap<String, Action>> = OnceLock::new();
        ACTIONS.get_or_init(|| {
            let given = std::env::var("WARREN_FAILPOINTS").unwrap_or_default();
            given.split(';').filter(|part| !part.is_empty()).map(read).collect()
        })
    }

    #[expect(clippy::panic, reason = "a test that asks for something else than it gets proves nothing")]
    fn read(part: &str) -> (String, Action) {
        let parsed = || {
            let (name, action) = part.split_once('=')?;
            let (verb, argument) = action.strip_suffix(')')?.split_once('(')?;
            let action = match (verb, argument.strip_prefix("id=")) {
                ("kill", Some(id)) => Action::KillAt { id: id.to_owned() },
                ("kill", None) => Action::Kill { probability: argument.parse().ok()? },
                ("pause", None) => Action::Pause(Duration::from_millis(argument.parse().ok()?)),
                _ => return None,
            };
            Some((name.to_owned(), action))
        };
        parsed().unwrap_or_else(|| panic!("WARREN_FAILPOINTS: `{part}` is no failpoint"))
    }

    pub(crate) async fn pass(name: &str, id: &str) {
        match actions().get(name) {
            Some(Action::Pause(time)) => tokio::time::sleep(*time).await,
            Some(action) if strikes(action, id) => {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..KILL_DELAY_MAX_US))).await;
                die(name, id);
            }
            _ => {}
        }
    }

    pub(crate) fn pass_now(name: &str, id: &str) {
        if let Some(action) = actions().get(name)
            && strikes(action, id)
        {
            die(name, id);
        }
    }

    fn strikes(action: &Action, id: &str) -> bool {
        match action {
            Action::Kill { probability } => fastrand::f64() < *probability,
            Action::KillAt { id: wanted } => wanted == id,
            Action::Pause(_) => false,
        }
    }

    fn die(name: &str, id: &str) {
        tracing::error!(failpoint = name, message_id = id, "killed by a failpoint");
        kill_process(getpid(), Signal::KILL).ok();
    }
}
