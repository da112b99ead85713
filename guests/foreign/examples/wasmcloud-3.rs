//! A handler of `wasmcloud:messaging@0.3.0`.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

use foreign::Order;
use serde_json::json;
use wasmcloud::messaging::consumer;
use wasmcloud::messaging::types::{BrokerMessage, HandleMessageError};

wit_bindgen::generate!({
    inline: "
        package foreign:guest;
        world guest {
            import wasmcloud:messaging/consumer@0.3.0;
            export wasmcloud:messaging/handler@0.3.0;
        }
    ",
    path: ["../../wit/other/wasmcloud-messaging-0.3.0"],
    generate_all,
});

struct Guest;
export!(Guest);

impl exports::wasmcloud::messaging::handler::Guest for Guest {
    async fn handle_message(message: BrokerMessage) -> Result<(), HandleMessageError> {
        let seen = foreign::seen();
        let body = message.body.collect().await;
        match foreign::read(&body) {
            Order::Succeed | Order::Log { .. } => Ok(()),
            Order::Report { to } => {
                let report = json!({ "subject": message.subject, "replyTo": message.reply_to, "seen": seen });
                publish(&to, foreign::bytes(&report), None).await
            }
            Order::Publish { to, body, times, reply_to } => {
                for _ in 0..times {
                    publish(&to, foreign::bytes(&body), reply_to.clone()).await?;
                }
                Ok(())
            }
            Order::PublishLater { to } => {
                wit_bindgen::spawn_local(async move {
                    publish(&to, b"{}".to_vec(), None).await.expect("it is granted");
                });
                Ok(())
            }
            Order::Reply { body } => {
                let to = message.reply_to.ok_or(HandleMessageError::Reject)?;
                publish(&to, foreign::bytes(&body), None).await
            }
            Order::Request { to } => {
                let answer = consumer::request(to, stream(b"{}".to_vec()), Some(100)).await;
                answer.map(|_| ()).map_err(|error| HandleMessageError::Other(format!("{error:?}")))
            }
            Order::Fail { how, reason } => Err(match how.as_str() {
                "reject" => HandleMessageError::Reject,
                "retry" => HandleMessageError::Retry,
                _ => HandleMessageError::Other(reason),
            }),
            Order::PublishAndFail { to } => {
                publish(&to, b"{}".to_vec(), None).await?;
                Err(HandleMessageError::Retry)
            }
            Order::Trap => panic!("as ordered"),
            Order::Loop => foreign::forever(),
        }
    }
}

async fn publish(subject: &str, body: Vec<u8>, reply_to: Option<String>) -> Result<(), HandleMessageError> {
    let message = BrokerMessage { subject: subject.to_owned(), body: stream(body), reply_to };
    consumer::publish(message).await.map_err(|error| HandleMessageError::Other(format!("{error:?}")))
}

/// The host reads it while `publish` is awaited, so it is written by a task beside.
fn stream(bytes: Vec<u8>) -> wit_bindgen::StreamReader<u8> {
    let (mut writer, reader) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        drop(writer.write_all(bytes).await);
    });
    reader
}
