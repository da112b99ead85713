//! What a handler runs under and what it may reach.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::files::path_fault;
use super::super::problem::{Problem, brief};
use super::super::raw;
use super::super::source::join;
use super::super::substitute::is_name;
use super::super::{
    Capabilities, FileGrant, HandlerSpec, HttpGrant, Isolation, Limits, Origin, Reuse, STORE_BYTES_MAX,
    SecretGrant, SignatureSpec, StoreGrant,
};
use super::Checker;

const DEADLINE_MS: u32 = 5_000;
const MEMORY_MIB: u32 = 64;
const CONCURRENCY: u16 = 16;
const STORE_NAME_BYTES_MAX: usize = 64;

impl Checker<'_> {
    pub(super) fn handler(&mut self, at: &str, raw: &raw::Handler, usual: Limits) -> HandlerSpec {
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
            limits: limits(&raw.limits, usual),
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
        let entry = |list: &str, index: usize| join(&join(&at, list), &index.to_string());
        let (mut secrets, mut http, mut stores) = (Vec::new(), Vec::new(), Vec::new());
        for (index, raw) in raw.secrets.iter().enumerate() {
            secrets.push(self.secret(&entry("secrets", index), raw));
        }
        for (index, raw) in raw.http.iter().enumerate() {
            http.extend(self.http_grant(&entry("http", index), raw));
        }
        for (index, raw) in raw.key_value.iter().enumerate() {
            stores.push(self.store(&entry("keyValue", index), raw));
        }
        let (mut files, mut seen) = (Vec::new(), BTreeSet::new());
        for (index, grant) in raw.files.iter().enumerate() {
            files.extend(self.file_grant(&entry("files", index), grant, &mut seen));
        }
        for secret in &secrets {
            if raw.config.contains_key(&secret.name) {
                let says = format!("`{}` is a secret of this handler as well", secret.name);
                let problem = Problem::at(join(&join(&at, "config"), &secret.name), says).on_key();
                self.refuse(problem.because("the handler reads both by name, from one `wasi:config`"));
            }
        }
        let names = |list: &[SecretGrant]| list.iter().map(|secret| secret.name.clone()).collect();
        let origins = raw.http.iter().map(|short| short.grant.origin.to_ascii_lowercase()).collect();
        let store_names = stores.iter().map(|store: &StoreGrant| store.name.clone()).collect();
        self.once_each(&join(&at, "secrets"), names(&secrets));
        self.once_each(&join(&at, "http"), origins);
        self.once_each(&join(&at, "keyValue"), store_names);
        Capabilities { config: raw.config.clone(), secrets, http, files, key_value: stores }
    }

    fn once_each(&mut self, at: &str, names: Vec<String>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !seen.insert(name) {
                let at = join(at, &index.to_string());
                let problem = Problem::at(at, format!("`{}` is granted twice", brief(name)));
                self.refuse(problem.hint("leave one of them out"));
            }
        }
    }

    fn secret(&mut self, at: &str, raw: &raw::Short<raw::SecretGrant>) -> SecretGrant {
        let (place, secret) = (place(at, raw), &raw.grant);
        let name = &secret.name;
        if !is_name(name) {
            self.refuse(
                Problem::at(&place, format!("`{}` is not the name of a secret", brief(name)))
                    .because("a contract holds the names of secrets; their values come from the host's environment or files")
                    .hint("a name is made of letters, digits and `_`"),
            );
        } else if self.files.variables().contains(name) {
            self.refuse(
                Problem::at(
                    &place,
                    format!("the secret `{name}` is also put into this contract as `${{{name}}}`"),
                )
                .because("what is in a contract ends up in logs, dead letters and exports")
                .hint("use another variable there, or let the handler read the secret"),
            );
        }
        let file = secret.file.as_ref().map(|file| {
            let at = join(at, "file");
            if file.contains("://") {
                self.problems.extend(path_fault(&at, file));
            }
            self.files.path_from(&at, file)
        });
        SecretGrant { name: name.clone(), file }
    }

    fn http_grant(&mut self, at: &str, raw: &raw::Short<raw::HttpGrant>) -> Option<HttpGrant> {
        let (place, allow_private) = (place(at, raw), raw.grant.allow_private);
        let origin = match Origin::parse(&raw.grant.origin) {
            Ok(origin) => origin,
            Err(says) => {
                let problem = Problem::at(place, says);
                self.refuse(
                    problem
                        .hint("write `https://api.example.com`, with `:port` where it is not the usual one"),
                );
                return None;
            }
        };
        if let Some(kind) = origin.private_kind().filter(|_| !allow_private) {
            self.refuse(
                Problem::at(place, format!("`{origin}` is {kind}, which a handler does not reach"))
                    .because("what listens there, such as the broker or a cloud's metadata, trusts who can connect to it")
                    .hint(format!("if it is meant, write `{{ origin: \"{origin}\", allowPrivate: true }}`")),
            );
        }
        Some(HttpGrant { origin, allow_private })
    }

    fn store(&mut self, at: &str, raw: &raw::Short<raw::StoreGrant>) -> StoreGrant {
        let name = &raw.grant.name;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > STORE_NAME_BYTES_MAX || !name.bytes().all(fits) {
            let says = format!("`{}` is not the name of a store", brief(name));
            self.refuse(Problem::at(place(at, raw), says).hint(format!(
                "a name is made of letters, digits, `-`, `_` and `.`, {STORE_NAME_BYTES_MAX} at most"
            )));
        }
        let bytes_max = raw.grant.max_mib.map_or(STORE_BYTES_MAX, |mib| u64::from(mib) * 1024 * 1024);
        StoreGrant { name: name.clone(), bytes_max }
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

/// Where a grant is named.
fn place<T>(at: &str, raw: &raw::Short<T>) -> String {
    raw.key.map_or_else(|| at.to_owned(), |key| join(at, key))
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

fn limits(raw: &raw::Limits, usual: Limits) -> Limits {
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
