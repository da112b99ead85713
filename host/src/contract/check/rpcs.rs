//! Requests that are answered.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Rpc;
use super::super::problem::Problem;
use super::super::source::join;
use super::{Checker, Messages};

impl Checker<'_> {
    pub(super) fn rpcs(&mut self, messages: &Messages) -> BTreeMap<String, Rpc> {
        let mut rpcs = BTreeMap::new();
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, raw) in &self.raw.rpcs {
            if self.is_full() {
                break;
            }
            let at = join("/rpcs", name);
            self.known(&join(&at, "queue"), "queue", &raw.queue, &self.raw.queues);
            if let Some(other) = owners.insert(&raw.queue, name) {
                self.refuse(
                    Problem::at(
                        join(&at, "queue"),
                        format!("`{}` also takes the requests of `{other}`", raw.queue),
                    )
                    .because("a request is told from another by its queue")
                    .hint("give each rpc a queue of its own")
                    .also(join(&join("/rpcs", other), "queue"), "it is here already"),
                );
            }
            let request = self.message(&join(&at, "request"), &raw.request, messages);
            let response = self.message(&join(&at, "response"), &raw.response, messages);
            let mut errors = BTreeMap::new();
            for (code, message) in &raw.errors {
                let message = self.message(&join(&join(&at, "errors"), code), message, messages);
                errors.extend(message.map(|message| (code.clone(), message)));
            }
            let (Some(request), Some(response)) = (request, response) else { continue };
            let rpc = Rpc {
                name: name.clone(),
                queue: raw.queue.clone(),
                request,
                response,
                errors,
                timeout: Duration::from_millis(raw.timeout_ms),
                summary: raw.summary.clone(),
            };
            rpcs.insert(name.clone(), rpc);
        }
        rpcs
    }
}
