//! A handler of `wasmcloud:messaging` in both forms. Each fails and says which it is.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

use exports::wasmcloud::messaging0_2_0::handler as two;
use exports::wasmcloud::messaging0_3_0::handler as three;

wit_bindgen::generate!({
    inline: "
        package foreign:guest;
        world guest {
            export wasmcloud:messaging/handler@0.2.0;
            export wasmcloud:messaging/handler@0.3.0;
        }
    ",
    path: ["../../wit/other/wasmcloud-messaging-0.2.0", "../../wit/other/wasmcloud-messaging-0.3.0"],
    generate_all,
});

struct Guest;
export!(Guest);

impl two::Guest for Guest {
    fn handle_message(_: two::BrokerMessage) -> Result<(), String> {
        Err("this is 0.2.0".to_owned())
    }
}

impl three::Guest for Guest {
    async fn handle_message(_: three::BrokerMessage) -> Result<(), three::HandleMessageError> {
        Err(three::HandleMessageError::Other("this is 0.3.0".to_owned()))
    }
}
