//! The publishing connection: opened again whenever it fails, for as long as anybody publishes. Consumers go on
//! meanwhile; what they want published waits.

use tokio_util::sync::CancellationToken;

use crate::broker::{Address, Connection, Publishing};

use super::backoff::Backoff;

/// Publishes until the last publisher is gone. `connection` is the first one.
pub(super) async fn supervise(
    address: Address,
    name: String,
    mut connection: Connection,
    mut publishing: Publishing,
) {
    let mut backoff = Backoff::new();
    loop {
        backoff.works();
        let failed = connection.failed();
        let reason = tokio::select! {
            done = publishing.serve(&connection) => match done {
                Ok(()) => return connection.close().await,
                Err(error) => error.to_string(),
            },
            reason = failed => reason,
        };
        tracing::warn!(
            reason,
            "lost the publishing connection, connecting again; what is to be published waits"
        );
        address.fail_over(connection.address());
        connection.close().await;
        connection = loop {
            if publishing.is_done() {
                return;
            }
            backoff.wait(&CancellationToken::new()).await;
            match Connection::open(&address, &name).await {
                Ok(connection) => break connection,
                Err(error) => {
                    let text = error.to_string();
                    if backoff.is_news(&text) {
                        tracing::warn!("cannot publish: {text}; trying again until it works");
                    }
                }
            }
        };
        tracing::info!("publishing again");
    }
}
