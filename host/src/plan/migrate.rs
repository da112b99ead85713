//! How to get from what exists to what the contract asks for, where that cannot be done in place: steps for a person,
//! with the commands where there are any. The broker never changes the arguments of a queue or an exchange, so all of
//! these delete something; that is why Warren does not do them.

use crate::topology::{Purpose, QueueDeclaration};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What the commands are about.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Name of the vhost.
    pub vhost: &'a str,
    /// Path of the contract, as the user wrote it.
    pub contract: &'a str,
}

/// The steps for a queue that is different. They do not depend on how many messages it holds: the broker's count is some
/// seconds old, and whoever reads this comes later still. `kind` is the type of the queue that is there, if it is known.
pub(super) fn queue(queue: &QueueDeclaration, kind: Option<&str>, place: Place<'_>) -> Vec<String> {
    let name = &queue.name;
    let Place { vhost, contract } = place;
    let vhost_word = quoted(vhost);
    let list = format!("rabbitmqctl -p {vhost_word} list_queues name messages consumers");
    // Of a quorum queue the broker refuses these.
    let only_if = if kind == Some("classic") { " --if-empty --if-unused" } else { "" };
    let delete = format!(
        "when both have been 0 for 10 s, delete it: rabbitmqctl -p {vhost_word} delete_queue {}{only_if}",
        quoted(name)
    );
    let apply = format!("create it anew: warren apply {}", quoted(contract));
    if let Purpose::Wait { of, .. } = &queue.purpose {
        return vec![
            format!("stop every host that consumes from `{of}`: it is they that fill this wait queue"),
            format!("wait until it is empty, which it becomes by itself: {list}"),
            delete,
            apply,
            "start the hosts again".to_owned(),
        ];
    }
    let aside = format!("{name}-moved");
    vec![
        format!("stop every consumer of `{name}`, and what publishes to it"),
        format!(
            "move its messages aside (needs the plugin rabbitmq_shovel): {}",
            shovel(vhost, name, &aside)
        ),
        format!("wait until it is empty: {list}"),
        format!("{delete} (this deletes its bindings, too)"),
        apply,
        format!("move the messages back: {}", shovel(vhost, &aside, name)),
        format!(
            "when `{aside}` has been empty for 10 s, delete it: rabbitmqctl -p {vhost_word} delete_queue {}",
            quoted(&aside)
        ),
        "start consumers and publishers again".to_owned(),
        format!(
            "or, without stopping publishers: give the queue a new name in the contract, apply that, and let the hosts \
             of the old contract run until `{name}` is empty and has no bindings"
        ),
    ]
}

/// The steps for an exchange that is different.
pub(super) fn exchange(name: &str, place: Place<'_>) -> Vec<String> {
    let Place { vhost, contract } = place;
    let list = format!(
        "rabbitmqctl -p {} list_bindings source_name destination_name routing_key arguments",
        quoted(vhost)
    );
    vec![
        format!("stop what publishes to `{name}`, and see what is bound to it: {list}"),
        format!(
            "delete it; this deletes its bindings, too: curl -u USER -X DELETE MANAGEMENT_URL/api/exchanges/{}/{}",
            encoded(vhost),
            encoded(name)
        ),
        format!("create it and the contract's bindings anew: warren apply {}", quoted(contract)),
        "create the bindings of others anew, and start the publishers again".to_owned(),
        "or, without stopping publishers: give the exchange a new name in the contract".to_owned(),
    ]
}

/// Moves everything that is in a queue now to another one, confirmed, and then ends by itself.
fn shovel(vhost: &str, from: &str, to: &str) -> String {
    let uri = format!("amqp:///{}", encoded(vhost));
    let value = serde_json::json!({
        "src-protocol": "amqp091", "src-uri": uri, "src-queue": from, "src-delete-after": "queue-length",
        "dest-protocol": "amqp091", "dest-uri": uri, "dest-queue": to,
        "dest-queue-args": { "x-queue-type": "quorum" }, "ack-mode": "on-confirm",
    });
    format!(
        "rabbitmqctl -p {} set_parameter shovel {} {}",
        quoted(vhost),
        quoted(&format!("to-{to}")),
        quoted(&value.to_string())
    )
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What a segment of a URL may not hold as it is (RFC 3986: all but unreserved characters).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// As one segment of a URL.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_shell_and_a_url() {
        assert_eq!(quoted("/"), "/");
        assert_eq!(quoted("it's one"), r"'it'\''s one'");
        assert_eq!(quoted(""), "''");
        assert_eq!(encoded("a/b c-ü"), "a%2Fb%20c-%C3%BC");
    }
}
