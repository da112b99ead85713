//! Where a policy of the operator makes a queue behave otherwise than the contract says.
//!
//! Policies take no part in the broker's comparison of arguments: a queue can be declared as it is and still behave
//! otherwise. Which of the two counts differs by key: the argument (dead letters), the policy (overflow, delayed retry),
//! or the smaller number.

use serde_json::{Map, Value};

use crate::topology::{Purpose, QueueDeclaration};

use super::observed::Policy;

/// What an unlimited delivery limit is to RabbitMQ.
const UNLIMITED: i64 = i64::MAX;

/// Everything that `policy` changes about `queue`, as sentences without a full stop.
pub(super) fn conflicts(queue: &QueueDeclaration, policy: &Policy) -> Vec<String> {
    let says = Says { asked: &queue.arguments, policy: &policy.definition };
    let wait = matches!(queue.purpose, Purpose::Wait { .. });
    let (own, ttl) = if wait {
        ("a wait queue", "retries come back sooner than the contract says")
    } else {
        (
            "the queue",
            "messages that wait longer are dead-lettered or dropped, whether or not they could be handled",
        )
    };
    let mut found = Vec::new();
    found.extend(says.smaller("message-ttl", ttl));
    found.extend(
        says.smaller("expires", "a queue that nobody uses for that long is deleted with its messages"),
    );
    found.extend(says.smaller("max-length", "what is beyond is dropped or refused"));
    found.extend(says.smaller("max-length-bytes", "what is beyond is dropped or refused"));
    found.extend(says.delivery_limit());
    found.extend(says.overrides("overflow", overflow_hurts(queue, &policy.definition)));
    found.extend(says.overrides("delayed-retry-type", "retries come at another time than the contract says"));
    found.extend(says.smaller("delayed-retry-min", "retries come sooner than the contract says"));
    found.extend(says.smaller("delayed-retry-max", "retries come sooner than the contract says"));
    found.extend(
        says.fills("dead-letter-exchange", "messages go there that the contract does not send there"),
    );
    found.extend(
        says.fills("dead-letter-routing-key", "dead letters get this routing key in place of their own"),
    );
    let name = &policy.name;
    found.into_iter().map(|text| format!("{name} changes {own} `{}`: {text}", queue.name)).collect()
}

fn overflow_hurts(queue: &QueueDeclaration, policy: &Map<String, Value>) -> &'static str {
    let at_least_once = queue.arguments.contains_key("x-dead-letter-strategy");
    if at_least_once && policy.get("overflow").and_then(Value::as_str) != Some("reject-publish") {
        "dead letters are no longer kept until they have arrived, and can be lost"
    } else {
        "a full queue does not do what the contract says"
    }
}

struct Says<'a> {
    asked: &'a Map<String, Value>,
    policy: &'a Map<String, Value>,
}

impl Says<'_> {
    /// What the contract says of a policy key.
    fn asked(&self, key: &str) -> Option<&Value> {
        self.asked.get(&format!("x-{key}"))
    }

    /// The smaller number counts.
    fn smaller(&self, key: &str, hurts: &str) -> Option<String> {
        let policy = self.policy.get(key)?.as_i64()?;
        let asked = self.asked(key).and_then(Value::as_i64);
        asked.is_none_or(|asked| policy < asked).then(|| self.text(key, hurts))
    }

    /// As `smaller`, but a negative number is no limit, and counts.
    fn delivery_limit(&self) -> Option<String> {
        let unlimited = |limit: i64| if limit < 0 { UNLIMITED } else { limit };
        let key = "delivery-limit";
        let policy = self.policy.get(key)?.as_i64()?;
        let asked = self.asked(key)?.as_i64()?;
        let effective = if policy < 0 || asked < 0 { UNLIMITED } else { policy.min(asked) };
        let hurts = if effective < unlimited(asked) {
            "the broker dead-letters or drops a message after that many deliveries, before its last attempt"
        } else {
            "the broker does not end a message that is handed over again and again"
        };
        (effective != unlimited(asked)).then(|| self.text(key, hurts))
    }

    /// The policy counts.
    fn overrides(&self, key: &str, hurts: &str) -> Option<String> {
        let policy = self.policy.get(key)?;
        (self.asked(key) != Some(policy)).then(|| self.text(key, hurts))
    }

    /// The argument counts, if there is one.
    fn fills(&self, key: &str, hurts: &str) -> Option<String> {
        self.policy.get(key)?;
        self.asked(key).is_none().then(|| self.text(key, hurts))
    }

    fn text(&self, key: &str, hurts: &str) -> String {
        let show = |value: Option<&Value>| match value {
            None => "nothing".to_owned(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        let (policy, asked) = (show(self.policy.get(key)), show(self.asked(key)));
        format!("`{key}` is {policy}, the contract says {asked}; {hurts}")
    }
}
