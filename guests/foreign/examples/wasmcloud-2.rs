//! A handler of `wasmcloud:messaging@0.2.0`.
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
use wasi::logging::logging;
use wasmcloud::messaging::consumer;
use wasmcloud::messaging::types::BrokerMessage;

wit_bindgen::generate!({
    inline: "
        package foreign:guest;
        world guest {
            import wasi:logging/logging@0.1.0-draft;
            import wasmcloud:messaging/consumer@0.2.0;
            export wasmcloud:messaging/handler@0.2.0;
        }
    ",
    path: ["../../wit/other/wasi-logging", "../../wit/other/wasmcloud-messaging-0.2.0"],
    generate_all,
});

struct Guest;
export!(Guest);

impl exports::wasmcloud::messaging::handler::Guest for Guest {
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        let seen = foreign::seen();
        match foreign::read(&message.body) {
            Order::Succeed => Ok(()),
            Order::Report { to } => {
                let report = json!({ "subject": message.subject, "replyTo": message.reply_to, "seen": seen });
                publish(&to, foreign::bytes(&report), None)
            }
            Order::Publish { to, body, times, reply_to } => {
                (0..times).try_for_each(|_| publish(&to, foreign::bytes(&body), reply_to.clone()))
            }
            Order::Reply { body } => {
                let to = message.reply_to.ok_or("there is no reply-to")?;
                publish(&to, foreign::bytes(&body), None)
            }
            Order::Request { to } => consumer::request(&to, b"{}", 100).map(|_| ()),
            Order::Fail { reason, .. } => Err(reason),
            Order::PublishAndFail { to } => {
                publish(&to, b"{}".to_vec(), None)?;
                Err("after publishing".to_owned())
            }
            Order::Log { text, times } => {
                for _ in 0..times {
                    logging::log(logging::Level::Info, "orders", &text);
                }
                Ok(())
            }
            Order::PublishLater { .. } | Order::Trap => panic!("as ordered"),
            Order::Loop => foreign::forever(),
        }
    }
}

fn publish(subject: &str, body: Vec<u8>, reply_to: Option<String>) -> Result<(), String> {
    consumer::publish(&BrokerMessage { subject: subject.to_owned(), body, reply_to })
}
