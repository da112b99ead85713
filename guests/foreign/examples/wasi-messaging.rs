//! A handler of `wasi:messaging@0.2.0-draft`.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

use foreign::Order;
use serde_json::{Value, json};
use wasi::messaging::types::{Client, Error, Message};
use wasi::messaging::{producer, request_reply};

wit_bindgen::generate!({
    inline: "
        package foreign:guest;
        world guest {
            import wasi:messaging/producer@0.2.0-draft;
            import wasi:messaging/request-reply@0.2.0-draft;
            export wasi:messaging/incoming-handler@0.2.0-draft;
        }
    ",
    path: ["../../wit/other/wasi-messaging"],
    generate_all,
});

struct Guest;
export!(Guest);

impl exports::wasi::messaging::incoming_handler::Guest for Guest {
    fn handle(message: Message) -> Result<(), Error> {
        let seen = foreign::seen();
        match foreign::read(&message.data()) {
            Order::Succeed | Order::Log { .. } => Ok(()),
            Order::Report { to } => {
                let report = json!({
                    "topic": message.topic(), "contentType": message.content_type(),
                    "metadata": message.metadata(), "seen": seen,
                });
                send(&to, &report)
            }
            Order::Publish { to, body, times, .. } => (0..times).try_for_each(|_| send(&to, &body)),
            Order::Reply { body } => request_reply::reply(&message, written(&body)),
            Order::Request { to } => {
                let options = request_reply::RequestOptions::new();
                options.set_timeout_ms(100);
                let client = Client::connect("any")?;
                request_reply::request(&client, &to, &message, Some(options)).map(|_| ())
            }
            Order::Fail { how, reason } => Err(match how.as_str() {
                "timeout" => Error::Timeout,
                "connection" => Error::Connection(reason),
                "permission-denied" => Error::PermissionDenied(reason),
                _ => Error::Other(reason),
            }),
            Order::PublishAndFail { to } => {
                send(&to, &json!({}))?;
                Err(Error::Timeout)
            }
            Order::PublishLater { .. } | Order::Trap => panic!("as ordered"),
            Order::Loop => foreign::forever(),
        }
    }
}

fn send(topic: &str, body: &Value) -> Result<(), Error> {
    producer::send(&Client::connect("any")?, topic, written(body))
}

fn written(body: &Value) -> Message {
    let message = Message::new(b"to be replaced");
    message.set_data(&foreign::bytes(body));
    message.set_content_type("application/json");
    message.set_metadata(&[("lost".to_owned(), "1".to_owned())]);
    message.remove_metadata("lost");
    message.add_metadata("written-by", "wasi-messaging");
    message
}
