//! The broker's version: what it can do, and whether it is one of those that are known to be broken.

use std::fmt;

/// The version of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields are those of every version")]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

/// The oldest version with delayed retries.
pub const NATIVE_DELAY: Version = Version { major: 4, minor: 3, patch: 0 };
/// The oldest version that Warren is tested with.
const OLDEST: Version = Version { major: 3, minor: 10, patch: 0 };
/// For each line of versions, the first one without known faults in quorum queues and dead-lettering. 3.10 to 3.12 are
/// not maintained any more and have none of the faults of later ones.
const FLOORS: [Version; 5] = [
    Version { major: 3, minor: 13, patch: 7 },
    Version { major: 4, minor: 0, patch: 9 },
    Version { major: 4, minor: 1, patch: 8 },
    Version { major: 4, minor: 2, patch: 9 },
    Version { major: 4, minor: 3, patch: 5 },
];

impl Version {
    /// Reads `4.3.6`, and also `4.3.0-rc.1`; a missing number is 0.
    pub fn parse(text: &str) -> Option<Self> {
        let release = text.trim().split(['-', '+', '~']).next()?;
        let mut numbers = release.split('.').map(str::parse);
        let major = numbers.next()?.ok()?;
        let mut next = || numbers.next().map_or(Some(0), Result::ok);
        Some(Self { major, minor: next()?, patch: next()? })
    }

    /// Whether the broker can delay retries itself.
    pub fn has_native_delay(self) -> bool {
        self >= NATIVE_DELAY
    }

    /// What speaks against this version.
    pub fn warning(self) -> Option<String> {
        if self < OLDEST {
            return Some(format!(
                "RabbitMQ {self} is older than {}.{}, the oldest that Warren is tested with",
                OLDEST.major, OLDEST.minor
            ));
        }
        let floor =
            FLOORS.into_iter().find(|floor| (floor.major, floor.minor) == (self.major, self.minor))?;
        (self < floor).then(|| {
            format!("RabbitMQ {self} has known faults in quorum queues or dead-lettering; {floor} or later has them fixed")
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_brokers_write_them() {
        let read = |text| Version::parse(text).map(|version| version.to_string());
        for (text, expected) in [
            ("3.10.8", Some("3.10.8")),
            ("4.3.0-rc.1", Some("4.3.0")),
            ("4.0.5+1.g123", Some("4.0.5")),
            ("4.3", Some("4.3.0")),
            ("", None),
            ("four", None),
            ("4.x.1", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_versions_with_known_faults_are_warned_of() {
        for text in ["3.10.0", "3.11.28", "3.12.1", "3.13.7", "4.0.9", "4.2.10", "4.3.5", "4.4.0", "5.0.0"] {
            assert_eq!(Version::parse(text).unwrap().warning(), None, "{text}");
        }
        for text in ["3.8.9", "3.13.2", "4.0.5", "4.1.0", "4.2.8", "4.3.4"] {
            assert!(Version::parse(text).unwrap().warning().unwrap().contains(text), "{text}");
        }
    }

    #[test]
    fn delays_come_with_4_3() {
        let has = |text| Version::parse(text).unwrap().has_native_delay();
        assert!(has("4.3.0") && has("4.10.1") && has("5.0.0"));
        assert!(!has("4.2.9") && !has("3.13.7"));
    }
}
