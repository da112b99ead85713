//! Waiting for a condition with a deadline. Nothing in the harness waits any other way.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// How long anything may take that should happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long to wait before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks again and again until `look` gives something. An error of `look` counts as nothing to see yet, and is told if
/// the time, `limit`, is over.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        let trouble = match look() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) => format!(" ({error:#})"),
        };
        if Instant::now() > end {
            bail!("waited {} s in vain: {what}{trouble}", limit.as_secs());
        }
        pause(LOOK_AGAIN);
    }
}

/// Lets time pass: for faults that last, and between looks.
#[expect(clippy::disallowed_methods, reason = "scenarios run on a thread of their own, and block no runtime")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    ms_of(SystemTime::now())
}

/// A time as milliseconds since 1970.
pub(crate) fn ms_of(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
