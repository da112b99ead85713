//! How a command is told where the broker is, and how to speak TLS with it.

use std::path::PathBuf;

use clap::Args;

use crate::broker::{Address, Tls};

const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

/// The broker, for commands that need one.
#[derive(Debug, Args)]
pub(super) struct BrokerArgs {
    /// Where the broker is: amqp[s]://user:password@host:port/vhost (the vhost `/` is written %2f)
    ///
    /// Several addresses of one broker with commas, or with the option given again: they are tried one after the other,
    /// beginning with any of them. Hosts may share the rest: amqp://user:password@a:5672,b:5672/vhost. A comma in a user, a
    /// password or a vhost is written %2C. Who has a client certificate in place of a password adds
    /// ?auth_mechanism=external; ?heartbeat=SECONDS and ?connection_timeout=MILLISECONDS work, too.
    #[arg(long, env = "WARREN_AMQP_URL", value_name = "URL", default_value = DEFAULT_URL, hide_env_values = true)]
    amqp_url: Vec<String>,

    #[command(flatten)]
    tls: TlsArgs,
}

/// What `amqps` and `https` trust and show.
#[derive(Debug, Args)]
struct TlsArgs {
    /// PEM file with the certificates of the issuers to trust with amqps:// and https://, in place of the system's; read
    /// again for each connection, as are the next two
    #[arg(long, env = "WARREN_TLS_CA", value_name = "FILE", help_heading = "TLS")]
    tls_ca: Option<String>,

    /// PEM file with a client certificate to show (mutual TLS), followed by those of its issuers, if the broker needs them
    #[arg(long, env = "WARREN_TLS_CERT", value_name = "FILE", help_heading = "TLS")]
    tls_cert: Option<String>,

    /// PEM file with the key of the client certificate, without a passphrase
    #[arg(long, env = "WARREN_TLS_KEY", value_name = "FILE", help_heading = "TLS")]
    tls_key: Option<String>,
}

/// The management API, for commands that look at a broker.
#[derive(Debug, Args)]
pub(super) struct ManagementArgs {
    /// Where the management API of the broker is: http[s]://[user:password@]host:port; user and password are those of the
    /// AMQP URL unless given. Without it, bindings, policies and what the contract does not name cannot be seen
    #[arg(long, env = "WARREN_MANAGEMENT_URL", value_name = "URL", hide_env_values = true)]
    management_url: Option<String>,
}

impl ManagementArgs {
    /// The URL, if there is one. A variable that is set to nothing means none.
    pub(super) fn url(&self) -> Option<&str> {
        self.management_url.as_deref().filter(|url| !url.is_empty())
    }
}

impl BrokerArgs {
    /// The address; none if it is not one, or a file for TLS will not do, which has been printed, without what may be a
    /// password in it.
    pub(super) fn address(&self) -> Option<Address> {
        self.read(false).inspect_err(|error| eprintln!("error: {error}")).ok()
    }

    /// The same for a command that also speaks to the management API.
    pub(super) fn address_beside(&self, management: &ManagementArgs) -> Option<Address> {
        let https = management.url().is_some_and(|url| url.starts_with("https:"));
        self.read(https).inspect_err(|error| eprintln!("error: {error}")).ok()
    }

    fn read(&self, https: bool) -> Result<Address, String> {
        let address = Address::parse(&self.amqp_url.join(",")).map_err(|error| format!("--amqp-url or WARREN_AMQP_URL is not an AMQP URL: {error}\n\nhint: write amqp://user:password@host:port/vhost, with the vhost `/` as %2f"))?;
        let tls = self.tls.read()?;
        if !tls.is_default() && !address.is_tls() && !https {
            return Err(format!(
                "there are files for TLS (--tls-ca, --tls-cert, --tls-key, or WARREN_TLS_*), and nothing to use them for: {address} is spoken to in the clear\n\nhint: write amqps:// and the port for TLS, which usually is 5671, or leave the files out"
            ));
        }
        Ok(address.with_tls(tls))
    }
}

impl TlsArgs {
    fn read(&self) -> Result<Tls, String> {
        // A variable that is set to nothing means none.
        let file = |file: &Option<String>| file.clone().filter(|file| !file.is_empty()).map(PathBuf::from);
        Tls::new(file(&self.tls_ca), file(&self.tls_cert), file(&self.tls_key))
    }
}
