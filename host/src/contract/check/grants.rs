//! What a handler runs under and what it may reach.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::files::path_fault;
use super::super::problem::{Problem, brief};
use super::super::raw;
use super::super::source::join;
use super::super::substitute::is_name;
use super::super::{Capabilities, FileGrant, HandlerSpec, Isolation, Limits, Reuse, SignatureSpec};
use super::Checker;

const DEADLINE_MS: u32 = 5_000;
const MEMORY_MIB: u32 = 64;
const CONCURRENCY: u16 = 16;

impl Checker<'_> {
    pub(super) fn handler(&mut self, at: &str, raw: &raw::Handler) -> HandlerSpec {
        let handler_at = join(at, "handler");
        if raw.reuse.is_some() && raw.isolation == Isolation::Fresh {
            self.refuse(
                Problem::at(join(&handler_at, "reuse"), "`reuse` is said of instances that are not reused")
                    .on_key()
                    .because("with `isolation: fresh`, each message has an instance of its own")
                    .hint("say `isolation: reuse`, or leave `reuse` out"),
            );
        }
        let at = join(&handler_at, "component");
        if raw.component.contains("://") {
            self.problems.extend(path_fault(&at, &raw.component));
        }
        let component = self.files.path_from(&at, &raw.component);
        HandlerSpec {
            signature: raw
                .signature
                .as_ref()
                .map(|raw| self.signature(&join(&handler_at, "signature"), raw, &component)),
            component,
            sha256: raw.sha256.clone(),
            isolation: raw.isolation,
            deadline: Duration::from_millis(raw.deadline_ms.unwrap_or(DEADLINE_MS).into()),
            reuse: reuse(raw.reuse.as_ref()),
            limits: limits(&raw.limits),
            memory_bytes_max: raw.memory_mib.unwrap_or(MEMORY_MIB) as usize * 1024 * 1024,
            concurrency: raw.concurrency.unwrap_or(CONCURRENCY),
        }
    }

    fn signature(&mut self, at: &str, raw: &raw::Signature, component: &str) -> SignatureSpec {
        if minisign_verify::PublicKey::from_base64(&raw.public_key).is_err() {
            let says = format!("`{}` is not a minisign public key", brief(&raw.public_key));
            self.refuse(
                Problem::at(join(at, "publicKey"), says)
                    .because("such a key is 56 letters and digits of Base64, and begins with `RW`")
                    .hint("it is the second line of the `minisign.pub` that `minisign -G` wrote"),
            );
        }
        let file_at = join(at, "file");
        let file = match &raw.file {
            Some(file) => {
                self.problems.extend(path_fault(&file_at, file).filter(|_| file.contains("://")));
                self.files.path_from(&file_at, file)
            }
            None => format!("{component}.minisig"),
        };
        SignatureSpec { public_key: raw.public_key.clone(), file }
    }

    pub(super) fn capabilities(&mut self, at: &str, raw: &raw::Capabilities) -> Capabilities {
        let at = join(at, "capabilities");
        for (index, secret) in raw.secrets.iter().enumerate() {
            let at = join(&join(&at, "secrets"), &index.to_string());
            if !is_name(secret) {
                self.refuse(
                    Problem::at(&at, format!("`{}` is not the name of a secret", brief(secret)))
                        .because("a contract holds the names of secrets; their values come from the host's environment or files")
                        .hint("a name is made of letters, digits and `_`"),
                );
            } else if self.files.variables().contains(secret) {
                self.refuse(
                    Problem::at(
                        &at,
                        format!("the secret `{secret}` is also put into this contract as `${{{secret}}}`"),
                    )
                    .because("what is in a contract ends up in logs, dead letters and exports")
                    .hint("use another variable there, or let the handler read the secret"),
                );
            }
        }
        for (index, origin) in raw.http.iter().enumerate() {
            let at = join(&join(&at, "http"), &index.to_string());
            self.problems.extend(origin_fault(origin).map(|says| {
                Problem::at(at, says)
                    .hint("write `https://api.example.com`, with `:port` where it is not the usual one")
            }));
        }
        let (mut files, mut seen) = (Vec::new(), BTreeSet::new());
        for (index, grant) in raw.files.iter().enumerate() {
            let at = join(&join(&at, "files"), &index.to_string());
            files.extend(self.file_grant(&at, grant, &mut seen));
        }
        for (list, names) in [("secrets", &raw.secrets), ("http", &raw.http), ("keyValue", &raw.key_value)] {
            let mut seen = BTreeSet::new();
            for (index, name) in names.iter().enumerate().filter(|(_, name)| !seen.insert(*name)) {
                let at = join(&join(&at, list), &index.to_string());
                let problem = Problem::at(at, format!("`{}` is granted twice", brief(name)));
                self.refuse(problem.hint("leave one of them out"));
            }
        }
        Capabilities {
            config: raw.config.clone(),
            secrets: raw.secrets.clone(),
            http: raw.http.clone(),
            files,
            key_value: raw.key_value.clone(),
        }
    }

    fn file_grant(
        &mut self,
        at: &str,
        raw: &raw::FileGrant,
        seen: &mut BTreeSet<String>,
    ) -> Option<FileGrant> {
        let path_at = join(at, "path");
        if raw.path.contains("://") {
            self.problems.extend(path_fault(&path_at, &raw.path));
            return None;
        }
        let path = self.files.path_from(&path_at, &raw.path);
        let guest_path = raw.at.clone().unwrap_or_else(|| format!("/{}", path.trim_start_matches('/')));
        if !guest_path.starts_with('/') || guest_path.split('/').any(|step| step == ".." || step == ".") {
            let says = format!("`{}` is not an absolute path", brief(&guest_path));
            self.refuse(
                Problem::at(join(at, "at"), says)
                    .hint("write where the handler sees the folder, such as `/data`"),
            );
        }
        if !seen.insert(guest_path.clone()) {
            let says = format!("the handler already sees another folder at `{guest_path}`");
            self.refuse(Problem::at(at, says).hint("give each folder an `at` of its own"));
        }
        Some(FileGrant { path, at: guest_path, access: raw.access })
    }
}

fn reuse(raw: Option<&raw::Reuse>) -> Reuse {
    let usual = Reuse::default();
    let Some(raw) = raw else { return usual };
    Reuse {
        calls_max: raw.max_calls.unwrap_or(usual.calls_max),
        age_max: raw.max_age_ms.map_or(usual.age_max, |ms| Duration::from_millis(ms.into())),
        growth_bytes_max: raw.max_growth_mib.map_or(usual.growth_bytes_max, |mib| (mib as usize) << 20),
    }
}

fn limits(raw: &raw::Limits) -> Limits {
    let usual = Limits::default();
    Limits {
        cpu: raw.cpu_ms.map(|ms| Duration::from_millis(ms.into())),
        table_elements: raw.table_elements.map_or(usual.table_elements, |elements| elements as usize),
        instances: raw.instances.map_or(usual.instances, |instances| instances as usize),
        host_call_bytes: raw.host_call_mib.map_or(usual.host_call_bytes, |mib| (mib as usize) << 20),
        handles: raw.handles.map_or(usual.handles, |handles| handles as usize),
        random_bytes: raw.random_kib.map_or(usual.random_bytes, |kib| u64::from(kib) << 10),
        log_lines: raw.log_lines.unwrap_or(usual.log_lines),
        log_bytes: raw.log_kib.map_or(usual.log_bytes, |kib| (kib as usize) << 10),
        publishes: raw.publishes.unwrap_or(usual.publishes),
        publish_bytes: raw.publish_mib.map_or(usual.publish_bytes, |mib| mib << 20),
    }
}

/// What is wrong with `origin` as scheme, host and port, if something is.
fn origin_fault(origin: &str) -> Option<String> {
    let shown = brief(origin);
    let Some((scheme, rest)) = origin.split_once("://") else {
        return Some(format!("`{shown}` is not an origin"));
    };
    if scheme != "http" && scheme != "https" {
        return Some(format!("`{shown}`: an origin begins with `https://` or `http://`"));
    }
    if rest.contains('*') {
        return Some(format!("`{shown}`: an origin is one host, without wildcards"));
    }
    if rest.contains('@') {
        return Some("an origin holds no user and no password".to_owned());
    }
    if rest.contains(['/', '?', '#']) {
        return Some(format!("`{shown}`: an origin has no path"));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Some(format!("`{shown}` has no port number after `:`"));
    }
    let named = |char: char| char.is_ascii_alphanumeric() || "-._[]:".contains(char);
    (host.is_empty() || !host.chars().all(named)).then(|| format!("`{shown}` names no host"))
}
