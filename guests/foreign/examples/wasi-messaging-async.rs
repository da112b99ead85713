//! A handler of `wasi:messaging@0.2.0-draft`, in the asynchronous form.
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
    path: ["../../wit/other/wasi-messaging-async"],
    generate_all,
});

struct Guest;
export!(Guest);

impl exports::wasi::messaging::incoming_handler::Guest for Guest {
    async fn handle(message: Message) -> Result<(), Error> {
        let seen = foreign::seen();
        match foreign::read(&message.data()) {
            Order::Succeed | Order::Log { .. } => Ok(()),
            Order::Report { to } => {
                let report = json!({
                    "topic": message.topic(), "contentType": message.content_type(),
                    "metadata": message.metadata(), "seen": seen,
                });
                send(&to, &report).await
            }
            Order::Publish { to, body, times, .. } => {
                for _ in 0..times {
                    send(&to, &body).await?;
                }
                Ok(())
            }
            Order::PublishLater { to } => {
                wit_bindgen::spawn_local(async move {
                    send(&to, &json!({})).await.expect("it is granted");
                });
                Ok(())
            }
            Order::Reply { body } => request_reply::reply(&message, written(&body)).await,
            Order::Request { to } => {
                let options = request_reply::RequestOptions::new();
                options.set_timeout_ms(100);
                let client = Client::connect("any".to_owned()).await?;
                request_reply::request(&client, to, &message, Some(options)).await.map(|_| ())
            }
            Order::Fail { how, reason } => Err(match how.as_str() {
                "timeout" => Error::Timeout,
                "connection" => Error::Connection(reason),
                "permission-denied" => Error::PermissionDenied(reason),
                _ => Error::Other(reason),
            }),
            Order::PublishAndFail { to } => {
                send(&to, &json!({})).await?;
                Err(Error::Timeout)
            }
            Order::Trap => panic!("as ordered"),
            Order::Loop => foreign::forever(),
        }
    }
}

async fn send(topic: &str, body: &Value) -> Result<(), Error> {
    let client = Client::connect("any".to_owned()).await?;
    producer::send(&client, topic.to_owned(), written(body)).await
}

fn written(body: &Value) -> Message {
    let message = Message::new(b"to be replaced");
    message.set_data(&foreign::bytes(body));
    message.set_content_type("application/json");
    message.set_metadata(&[("lost".to_owned(), "1".to_owned())]);
    message.remove_metadata("lost");
    message.add_metadata("written-by", "wasi-messaging-async");
    message
}
