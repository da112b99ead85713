//! An explanation in words, at most about a hundred columns wide: first the way as a tree, then each queue, as `words`
//! has it.

use std::collections::BTreeSet;

use crate::text::{columns, wrap};
use crate::topology::table::match_text;

use super::words::{LEFT, RIGHT, queue_lines};
use super::{DeadEnd, Explanation, HopView};

impl Explanation<'_> {
    /// The explanation, ready to be printed.
    pub fn human(&self) -> String {
        let mut lines = self.head();
        lines.push(String::new());
        lines.extend(self.tree());
        if self.depends_on_headers {
            let why = match self.headers {
                None => "Which of these it takes depends on its headers; `--header NAME=VALUE` decides it.",
                Some(_) => {
                    "Which of these it takes depends on the broker: to RabbitMQ 3, 1 and 1.0 are equal, to 4 they are not."
                }
            };
            lines.push(String::new());
            lines.extend(wrap(why, LEFT + RIGHT));
        }
        if !self.routed {
            lines.push(String::new());
            lines.extend(self.nowhere());
        }
        for queue in &self.queues {
            lines.push(String::new());
            lines.extend(queue_lines(queue));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn head(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(publisher) = &self.publisher {
            let summary = publisher.summary.map(|summary| format!(": {summary}")).unwrap_or_default();
            lines.push(format!("{} {}{summary}", publisher.kind, publisher.name));
        }
        let to = match self.exchange.as_str() {
            "" => "the default exchange".to_owned(),
            exchange => format!("exchange {exchange}"),
        };
        let key = match self.routing_key.as_str() {
            "" => "without a routing key".to_owned(),
            key => format!("with the routing key {key}"),
        };
        let message = |publisher: &super::PublisherView<'_>| format!("message {},", publisher.message);
        let of = self.publisher.as_ref().map_or("a message".to_owned(), message);
        lines.push(format!("{of} to {to}, {key}"));
        if let Some(headers) = &self.headers {
            let headers: Vec<String> =
                headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
            lines.push(format!(
                "headers {}",
                if headers.is_empty() { "none".to_owned() } else { headers.join(", ") }
            ));
        }
        lines
    }

    /// The way: each exchange with what leads away from it, and beside that what it follows from.
    fn tree(&self) -> Vec<String> {
        let mut rows = Vec::new();
        let root = match self.exchange.as_str() {
            "" => "default exchange".to_owned(),
            exchange => format!("{exchange} ({})", self.kind_of(exchange)),
        };
        rows.push(vec![root]);
        let mut seen = BTreeSet::from([self.exchange.as_str()]);
        self.branches(&self.exchange, "", &mut seen, &mut rows);
        columns(&rows).into_iter().map(|line| format!("  {line}")).collect()
    }

    fn branches<'s>(
        &'s self,
        exchange: &str,
        indent: &str,
        seen: &mut BTreeSet<&'s str>,
        rows: &mut Vec<Vec<String>>,
    ) {
        if let Some(end) = self.dead_ends.iter().find(|end| end.exchange == exchange) {
            rows.push(vec![format!("{indent}└─ {}", end.why(&self.routing_key))]);
            return;
        }
        let hops: Vec<&HopView<'_>> = self.hops.iter().filter(|hop| hop.exchange == exchange).collect();
        for (index, hop) in hops.iter().enumerate() {
            let last = index + 1 == hops.len();
            let to = match (hop.queue, hop.to_exchange) {
                (None, Some(next)) => format!("{next} ({})", self.kind_of(next)),
                (queue, _) => format!("queue {}", queue.unwrap_or_default()),
            };
            let again = hop.to_exchange.is_some_and(|next| seen.contains(next));
            let branch = if last { "└─" } else { "├─" };
            let again_text = if again { ", as above" } else { "" };
            rows.push(vec![format!("{indent}{branch} {} → {to}{again_text}", hop.why()), hop.follows_from()]);
            if let (Some(next), false) = (hop.to_exchange, again) {
                seen.insert(next);
                self.branches(next, &format!("{indent}{}", if last { "   " } else { "│  " }), seen, rows);
            }
        }
    }

    fn kind_of(&self, exchange: &str) -> &'static str {
        let by_hop = self.hops.iter().find(|hop| hop.exchange == exchange).map(|hop| hop.exchange_type);
        let by_end = self.dead_ends.iter().find(|end| end.exchange == exchange).map(|end| end.exchange_type);
        by_hop.or(by_end).unwrap_or("not in this contract")
    }

    fn nowhere(&self) -> Vec<String> {
        if self.publisher.as_ref().is_some_and(|publisher| publisher.external_consumers) {
            let says =
                "It reaches no queue of this contract: somebody else binds one, as `externalConsumers` says.";
            return wrap(says, LEFT + RIGHT);
        }
        let mut lines = wrap(
            "It reaches no queue. The broker gives it back to a publisher that says `mandatory`, as Warren does, and \
             throws away what others publish.",
            LEFT + RIGHT,
        );
        for end in &self.dead_ends {
            lines.push(String::new());
            lines.extend(end.needed(&self.routing_key));
        }
        lines
    }
}

impl HopView<'_> {
    /// Why the message goes this way.
    fn why(&self) -> String {
        let key = self.routing_key.unwrap_or_default();
        match (self.by, self.exchange_type, self.arguments) {
            ("name", _, _) => "by its name".to_owned(),
            ("alternate", "headers", _) if !self.sure => "if no binding matches".to_owned(),
            ("alternate", _, _) => "no binding matches".to_owned(),
            (_, "headers", Some(arguments)) if self.sure => match_text(arguments),
            (_, "headers", Some(arguments)) => format!("if {}", match_text(arguments)),
            (_, "fanout", _) => "everything".to_owned(),
            _ => key.to_owned(),
        }
    }

    /// What says so.
    fn follows_from(&self) -> String {
        let from = match (self.by, self.from) {
            ("alternate", _) => "alternateExchange".to_owned(),
            (_, Some(pointer)) => {
                pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
            }
            (_, None) => String::new(),
        };
        match self.domain {
            Some(domain) => format!("{from} of the domain {domain}"),
            None => from,
        }
    }
}

impl DeadEnd<'_> {
    fn why(&self, key: &str) -> String {
        match self.exchange_type {
            "default" => format!("no queue is called `{key}`: the way ends here"),
            _ if self.bound_with.is_empty() => "nothing is bound to it: the way ends here".to_owned(),
            "headers" => "no binding matches its headers: the way ends here".to_owned(),
            _ => format!("no binding matches `{key}`: the way ends here"),
        }
    }

    fn needed(&self, key: &str) -> Vec<String> {
        let Self { exchange, exchange_type, bound_with, nearest } = self;
        let mut lines = match *exchange_type {
            "default" => vec![format!("Needed: a queue called `{key}`.")],
            "fanout" => vec![format!("Needed: a binding of `{exchange}`, or an alternate exchange.")],
            "headers" => vec![format!(
                "Needed: a binding of `{exchange}` that matches its headers, or an alternate exchange."
            )],
            _ => vec![format!(
                "Needed: a binding of `{exchange}` that matches `{key}`, or an alternate exchange."
            )],
        };
        if !bound_with.is_empty() {
            let bound: Vec<String> = bound_with.iter().take(24).map(|key| format!("`{key}`")).collect();
            lines.extend(wrap(&format!("It is bound with {}.", bound.join(", ")), LEFT + RIGHT));
        }
        lines.extend(nearest.map(|nearest| format!("Did you mean `{nearest}`?")));
        lines
    }
}
