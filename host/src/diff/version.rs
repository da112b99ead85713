//! Whether the version of a contract rose as its changes ask for, by semantic versioning.

use super::Class;

/// A version of three numbers, and whether it is one before a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: [u64; 3],
    is_release: bool,
}

/// What is to be said about the new version, if it does not fit the worst of the changes.
pub(super) fn warning(old: &str, new: &str, worst: Option<Class>) -> Option<String> {
    let worst = worst?;
    match (old, new) {
        ("", _) => return None,
        (_, "") => return Some(format!("the version `{old}` is gone: who compares versions finds none")),
        _ => {}
    }
    let (Some(before), Some(after)) = (Version::parse(old), Version::parse(new)) else {
        let which = if Version::parse(old).is_none() { old } else { new };
        return Some(format!(
            "`{which}` is no semantic version, so whether it rose as it should is not known"
        ));
    };
    if after < before {
        return Some(format!("the version fell from `{old}` to `{new}`"));
    }
    let fitting = before.after(worst);
    if worst == Class::Cosmetic || after.numbers >= fitting || (!before.is_release && after > before) {
        return None;
    }
    let [major, minor, patch] = fitting;
    let what = match worst {
        Class::Breaking => "breaking changes",
        Class::Review => "changes to review, which are compatible at best",
        Class::Compatible | Class::Cosmetic => "compatible changes",
    };
    let says = if old == new { format!("is still `{old}`") } else { format!("rose from `{old}` to `{new}`") };
    Some(format!("the version {says}, and there are {what}: that would be `{major}.{minor}.{patch}`"))
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _build)| version);
        let (core, is_release) = match text.split_once('-') {
            Some((core, _)) => (core, false),
            None => (text, true),
        };
        let mut numbers = core.split('.').map(|number| number.parse().ok());
        let three = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(Self { numbers: three, is_release })
    }

    /// The least version for changes of this class. Before 1.0.0, the numbers mean one less.
    fn after(self, worst: Class) -> [u64; 3] {
        let [major, minor, patch] = self.numbers;
        match (worst, major) {
            (Class::Cosmetic, _) => self.numbers,
            (Class::Breaking, 0) => [0, minor.saturating_add(1), 0],
            (Class::Breaking, _) => [major.saturating_add(1), 0, 0],
            (Class::Review | Class::Compatible, 0) => [0, minor, patch.saturating_add(1)],
            (Class::Review | Class::Compatible, _) => [major, minor.saturating_add(1), 0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_rises_with_the_changes() {
        for (old, new, worst, fits) in [
            ("1.0.0", "2.0.0", Class::Breaking, true),
            ("1.0.0", "1.1.0", Class::Breaking, false),
            ("1.0.0", "1.1.0", Class::Compatible, true),
            ("1.0.0", "1.0.1", Class::Compatible, false),
            ("1.0.0", "1.0.0", Class::Compatible, false),
            ("1.0.0", "1.0.0", Class::Cosmetic, true),
            ("1.0.0", "1.0.1", Class::Cosmetic, true),
            ("1.0.0", "3.0.0", Class::Compatible, true),
            ("1.0.0", "1.0.1", Class::Review, false),
            ("0.3.1", "0.4.0", Class::Breaking, true),
            ("0.3.1", "0.3.2", Class::Breaking, false),
            ("0.3.1", "0.3.2", Class::Compatible, true),
            ("2.0.0", "1.9.0", Class::Cosmetic, false),
            ("2.0.0-rc.1", "2.0.0", Class::Breaking, true),
            ("1.0.0", "2.0.0-rc.1", Class::Breaking, true),
            ("1.0.0", "1.0.0+build.5", Class::Breaking, false),
            ("v1.0.0", "v2.0.0", Class::Breaking, true),
            ("one", "two", Class::Breaking, false),
            ("", "1.0.0", Class::Breaking, true),
            ("1.0.0", "", Class::Compatible, false),
        ] {
            assert_eq!(warning(old, new, Some(worst)).is_none(), fits, "{old} -> {new}, {worst:?}");
        }
        assert_eq!(warning("1.0.0", "1.0.0", None), None);
    }
}
