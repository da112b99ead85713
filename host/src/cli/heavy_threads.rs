//! The threads on which guests compute for long.
//!
//! They give way at once to whatever else wants a processor: other handlers, the connections, a broker on the same machine.
//! One of them keeps a small share of a busy machine, so that handlers which compute for long with good reason get on
//! there, too.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};

/// How much lower the priority is of the one that gets on on a busy machine: a tenth of the others' share of one processor.
const NICE: i32 = 10;

/// As many as there are processors.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    let started = AtomicUsize::new(0);
    let give_way = move || {
        let idle = started.fetch_add(1, Ordering::Relaxed) > 0 && only_when_idle();
        if !idle && let Err(error) = rustix::process::nice(NICE) {
            tracing::warn!(%error, "handlers that compute for long run at the priority of all others");
        }
    };
    Builder::new_multi_thread().thread_name("heavy-guests").on_thread_start(give_way).enable_all().build()
}

/// This thread is to run when no other wants to. False where there is no such thing.
#[cfg(target_os = "linux")]
fn only_when_idle() -> bool {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn only_when_idle() -> bool {
    false
}
