//! The threads on which guests compute for long: as many as there are processors, of low priority. How much of the processors
//! they take while others have work is up to `sandbox::Lanes`.

use tokio::runtime::{Builder, Runtime};

/// How much lower their priority is: a tenth of the others' share.
const NICE: i32 = 10;

pub(super) fn runtime() -> std::io::Result<Runtime> {
    let give_way = || {
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::warn!(%error, "handlers that compute for long run at the priority of all others");
        }
    };
    Builder::new_multi_thread().thread_name("heavy-guests").on_thread_start(give_way).enable_all().build()
}
