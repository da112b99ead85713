//! What went wrong, in the words of the contract: [`Failure`], and the ways to make one of an error or a
//! missing value.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::{RateLimit, millis};

/// What a handler answers, and what everything in it that can fail returns.
pub type Result<T = ()> = core::result::Result<T, Failure>;

/// Why a message was not handled. The text goes into the log and, if it comes to that, the dead letter.
///
/// This is the `failure` of `wit/handler.wit`. It is not an [`Error`] itself, so that every `Error` can
/// become one by `?`.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// No retry can help (the order does not exist, the amount is negative): dead-letter it now.
    Permanent(String),
    /// A retry may help (a timeout, a lock, a restart): retry as the contract's policy says.
    Transient(String),
    /// A retry will help, but not before the time given.
    RateLimited(RateLimit),
    /// We were not allowed to. Dead-letter it now, and tell a human.
    Unauthorized(String),
}

impl Failure {
    /// No retry can help.
    pub fn permanent(why: impl fmt::Display) -> Self {
        Self::Permanent(why.to_string())
    }

    /// A retry may help.
    pub fn transient(why: impl fmt::Display) -> Self {
        Self::Transient(why.to_string())
    }

    /// A retry will help, but not sooner than `retry_after` from now (rounded up to a millisecond, at most 49
    /// days).
    pub fn rate_limited(retry_after: Duration, why: impl fmt::Display) -> Self {
        Self::RateLimited(RateLimit { retry_after_ms: millis(retry_after), reason: why.to_string() })
    }

    /// We were not allowed to.
    pub fn unauthorized(why: impl fmt::Display) -> Self {
        Self::Unauthorized(why.to_string())
    }

    /// The text, whatever the class.
    pub fn text(&self) -> &str {
        match self {
            Self::Permanent(text) | Self::Transient(text) | Self::Unauthorized(text) => text,
            Self::RateLimited(limit) => &limit.reason,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permanent(text) => write!(f, "permanent: {text}"),
            Self::Transient(text) => write!(f, "transient: {text}"),
            Self::RateLimited(limit) => {
                write!(f, "rate-limited for {} ms: {}", limit.retry_after_ms, limit.reason)
            }
            Self::Unauthorized(text) => write!(f, "unauthorized: {text}"),
        }
    }
}

/// An error that nobody has classified is transient: unknown is not success, and retries are bounded.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Transient(chain(&error))
    }
}

/// Classifies an error, or a missing value, on the way out: `text.parse::<u64>().permanent()?`,
/// `found.or_permanent("no such order")?`.
///
/// It is there for a `Result` of any [`Error`], for an `Option`, and for this crate's own [`Result`], to
/// change its class. The text of an error keeps its chain of sources.
pub trait OrFail<T>: Sized {
    /// What the others are made of: a failure of this class, which says `why` and then the cause, as far as
    /// they are there.
    #[doc(hidden)]
    fn or_fail(self, class: fn(String) -> Failure, why: Option<&dyn fmt::Display>) -> Result<T>;

    /// Makes the error a permanent failure.
    fn permanent(self) -> Result<T>
    where
        Self: HasCause,
    {
        self.or_fail(Failure::Permanent, None)
    }

    /// Makes the error a transient failure, which is what `?` alone does, in writing.
    fn transient(self) -> Result<T>
    where
        Self: HasCause,
    {
        self.or_fail(Failure::Transient, None)
    }

    /// Makes the error an unauthorized failure.
    fn unauthorized(self) -> Result<T>
    where
        Self: HasCause,
    {
        self.or_fail(Failure::Unauthorized, None)
    }

    /// A permanent failure that says `why`, and then the error where there is one.
    fn or_permanent(self, why: impl fmt::Display) -> Result<T> {
        self.or_fail(Failure::Permanent, Some(&why))
    }

    /// A transient failure that says `why`, and then the error where there is one.
    fn or_transient(self, why: impl fmt::Display) -> Result<T> {
        self.or_fail(Failure::Transient, Some(&why))
    }

    /// An unauthorized failure that says `why`, and then the error where there is one.
    fn or_unauthorized(self, why: impl fmt::Display) -> Result<T> {
        self.or_fail(Failure::Unauthorized, Some(&why))
    }
}

impl<T, E: Error> OrFail<T> for core::result::Result<T, E> {
    fn or_fail(self, class: fn(String) -> Failure, why: Option<&dyn fmt::Display>) -> Result<T> {
        self.map_err(|error| class(explain(why, &chain(&error))))
    }
}

impl<T> OrFail<T> for Result<T> {
    fn or_fail(self, class: fn(String) -> Failure, why: Option<&dyn fmt::Display>) -> Self {
        self.map_err(|failure| class(explain(why, failure.text())))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, class: fn(String) -> Failure, why: Option<&dyn fmt::Display>) -> Result<T> {
        self.ok_or_else(|| class(why.map_or_else(|| "nothing there".to_owned(), ToString::to_string)))
    }
}

/// What carries its own reason for failing: a `Result` does, an `Option` does not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say why there is nothing",
    label = "an `Option` has no error to take the failure's text from",
    note = "say it: `.or_permanent(\"no such order\")?`, `.or_transient(..)?`, `.or_unauthorized(..)?`"
)]
pub trait HasCause {}

impl<T, E> HasCause for core::result::Result<T, E> {}

/// The reason, then the cause.
fn explain(why: Option<&dyn fmt::Display>, cause: &str) -> String {
    match why {
        Some(why) => format!("{why}: {cause}"),
        None => cause.to_owned(),
    }
}

/// The error and its sources, outermost first, leaving out those that the text before already ends with.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Self>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    fn refused() -> core::result::Result<(), Layer> {
        let cause = Layer("connection refused", None);
        Err(Layer("no answer from the bank", Some(Box::new(cause))))
    }

    #[test]
    fn an_unclassified_error_is_transient_and_keeps_its_sources() {
        fn handle() -> Result {
            refused()?;
            Ok(())
        }
        assert_eq!(handle(), Err(Failure::transient("no answer from the bank: connection refused")));
    }

    #[test]
    fn a_source_that_was_said_already_is_not_said_again() {
        let told = Layer("not now: busy", Some(Box::new(Layer("busy", None))));
        assert_eq!(Failure::from(told).text(), "not now: busy");
    }

    #[test]
    fn an_error_is_classified_on_the_way_out() {
        let text = "no answer from the bank: connection refused";
        assert_eq!(refused().permanent(), Err(Failure::permanent(text)));
        assert_eq!(refused().transient(), Err(Failure::transient(text)));
        assert_eq!(refused().unauthorized(), Err(Failure::unauthorized(text)));
        assert_eq!(refused().or_permanent("paying"), Err(Failure::permanent(format_args!("paying: {text}"))));
        assert_eq!(Err::<(), _>(Failure::transient("x")).permanent(), Err(Failure::permanent("x")));
    }

    #[test]
    fn a_missing_value_says_only_why() {
        assert_eq!(None::<u8>.or_permanent("no such order"), Err(Failure::permanent("no such order")));
        assert_eq!(Some(7).or_unauthorized("no token"), Ok(7));
    }

    #[test]
    fn a_rate_limit_is_never_shorter_than_asked() {
        let after = |retry_after| match Failure::rate_limited(retry_after, "slow down") {
            Failure::RateLimited(limit) => limit.retry_after_ms,
            other => panic!("{other}"),
        };
        assert_eq!(after(Duration::from_micros(1)), 1);
        assert_eq!(after(Duration::from_millis(300)), 300);
        assert_eq!(after(Duration::MAX), u32::MAX);
    }
}
