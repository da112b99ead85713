//! A complete handler, to copy: a typed payload, every kind of failure, a publish with headers, a log line.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use warren_guest::{
    Failure, HeaderValue, Message, OrFail, Outgoing, PublishError, Raw, Result, handler, info, json,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
    /// In cents.
    amount: i64,
    customer: String,
    note: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    order_id: String,
    amount: i64,
    customer: String,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

// With `Order` in place of `Raw`, the SDK would read it, and say "the body is not …" without "payload: ".
fn accept(_: Raw, message: &Message) -> Result {
    let order: Order = message.payload().or_permanent("payload")?;
    let Order { order_id, amount, customer, note } = order;
    if amount <= 0 {
        return Err(Failure::permanent("amount must be positive"));
    }
    match customer.as_str() {
        "busy" => return Err(Failure::rate_limited(Duration::from_millis(1500), "customer is busy")),
        "flaky" if message.attempt < 2 => return Err(Failure::transient("try again")),
        "forbidden" => return Err(Failure::unauthorized("not our customer")),
        // A bug, and a trap: retried within the contract's bound, then dead-lettered with the panic's message.
        "crash" => panic!("the handler has a bug"),
        "unlisted" => audit(&order_id)?,
        _ => {}
    }
    info!("order accepted"; "orderId" => order_id, "amount" => amount);
    let accepted = Accepted { order_id, amount, customer, attempt: message.attempt, note };
    let mut outgoing = Outgoing::json(&accepted)?.header("source", "template");
    if let Some(tenant) = message.header("tenant").and_then(HeaderValue::as_str) {
        outgoing = outgoing.header("tenant", tenant);
    }
    outgoing.publish("orderAccepted")?;
    Ok(())
}

/// `auditTrail` is in the contract, but not granted to this consumer.
fn audit(order_id: &str) -> Result {
    let published = Outgoing::json(&json!({ "orderId": order_id }))?.try_publish("auditTrail");
    match published {
        Ok(_) => Ok(()),
        Err(PublishError::NotGranted) => Err(Failure::permanent("publishing was refused: not granted")),
        Err(other) => Err(Failure::permanent(format_args!("publishing was refused: {other}"))),
    }
}

handler!(accept);

#[cfg(test)]
mod tests {
    use warren_guest::testing::{Called, Host, message};

    use super::*;

    fn order(customer: &str) -> Message {
        message(format!(r#"{{"orderId": "o-1", "amount": 1250, "customer": "{customer}"}}"#))
    }

    fn handle(message: Message) -> Called {
        Host::default().call(accept, message)
    }

    #[test]
    fn an_order_is_accepted_and_told_on() {
        let mut message =
            message(r#"{"orderId": "o-1", "amount": 1250, "customer": "ada", "note": "für 🐇"}"#);
        message.headers.push(("tenant".into(), "acme".into()));
        let called = handle(message);
        assert_eq!(called.result, Ok(()));
        let [published] = &called.published[..] else { panic!("{called:?}") };
        assert_eq!(published.publisher, "orderAccepted");
        let accepted =
            json!({ "orderId": "o-1", "amount": 1250, "customer": "ada", "attempt": 1, "note": "für 🐇" });
        assert_eq!(published.json(), accepted);
        let headers = [("source".to_owned(), "template".into()), ("tenant".to_owned(), "acme".into())];
        assert_eq!(published.message.headers, headers);
        assert_eq!(called.logs[0].message, "order accepted");
        assert_eq!(called.logs[0].fields[1], ("amount".to_owned(), "1250".to_owned()));
    }

    #[test]
    fn what_is_no_order_is_a_permanent_failure_that_says_why() {
        let text = "payload: the body is not JSON: expected value at line 1 column 1";
        assert_eq!(handle(message("<order/>")).result, Err(Failure::permanent(text)));
        let missing = handle(message(r#"{"orderId": "o-1", "amount": 1}"#)).result.unwrap_err();
        let text = "payload: the body is not a `Order`: missing field `customer` at line 1 column 31";
        assert_eq!(missing, Failure::permanent(text));
    }

    #[test]
    fn each_customer_has_a_failure_of_its_own() {
        let failure = |customer| handle(order(customer)).result.unwrap_err();
        assert_eq!(failure("busy"), Failure::rate_limited(Duration::from_millis(1500), "customer is busy"));
        assert_eq!(failure("flaky"), Failure::transient("try again"));
        assert_eq!(handle(Message { attempt: 2, ..order("flaky") }).result, Ok(()));
        assert_eq!(failure("forbidden"), Failure::unauthorized("not our customer"));
    }

    #[test]
    #[should_panic(expected = "the handler has a bug")]
    fn a_bug_is_a_trap() {
        handle(order("crash"));
    }

    #[test]
    fn a_refusal_to_publish_is_a_permanent_failure() {
        let host = Host::default().refuse("auditTrail", PublishError::NotGranted);
        let text = "publishing was refused: not granted";
        assert_eq!(host.call(accept, order("unlisted")).result, Err(Failure::permanent(text)));
    }
}
