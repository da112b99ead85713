//! A broker's address as AsyncAPI describes a server: what it is, and never who logs in.

use crate::yaml::{Mapping, Node};

/// A broker, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What the document calls it.
    pub name: String,
    /// `amqp` or `amqps`.
    pub protocol: &'static str,
    /// Host, and port if it was given.
    pub host: String,
    /// The virtual host, as it is written in a URL: percent-encoded.
    pub vhost: Option<String>,
    /// Whether the URL had a user.
    pub has_user: bool,
}

impl Server {
    /// Reads `[NAME=]amqp[s]://[user:password@]host[:port][/vhost]`. The error never holds the text: it may be a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains(':') => (name, url),
            _ => ("broker", text),
        };
        let plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        if name.is_empty() || !name.chars().all(plain) {
            return Err("the name of a server is made of letters, digits, `-`, `_` and `.`".to_owned());
        }
        let (protocol, rest) = match url.split_once("://") {
            Some(("amqp", rest)) => ("amqp", rest),
            Some(("amqps", rest)) => ("amqps", rest),
            _ => return Err("it does not begin with `amqp://` or `amqps://`".to_owned()),
        };
        // A password may hold what should have been encoded: only what follows the last `@` is surely none of it.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, vhost) = match rest.split_once('/') {
            Some((host, vhost)) => (host, Some(vhost).filter(|vhost| !vhost.is_empty())),
            None => (rest, None),
        };
        let named = |char: char| char.is_ascii_alphanumeric() || "-._[]:".contains(char);
        let (bare, port) = match host.rsplit_once(':') {
            Some((bare, port)) if !port.ends_with(']') => (bare, Some(port)),
            _ => (host, None),
        };
        if bare.is_empty()
            || !bare.chars().all(named)
            || port.is_some_and(|port| port.parse::<u16>().is_err())
        {
            return Err("it names no host, or no port after `:`".to_owned());
        }
        if vhost.is_some_and(|vhost| vhost.contains(['{', '}', '/', ' '])) {
            return Err("its vhost has characters that a URL encodes with `%`".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            protocol,
            host: host.to_owned(),
            vhost: vhost.map(str::to_owned),
            has_user: user.is_some(),
        })
    }

    pub(super) fn node(&self) -> Node {
        let mut server = Mapping::default();
        server.set("host", &self.host);
        server.set_some("pathname", self.vhost.as_ref().map(|vhost| format!("/{vhost}")));
        server.set("protocol", self.protocol).set("protocolVersion", "0.9.1");
        if self.has_user {
            let mut scheme = Mapping::default();
            scheme.set("type", "userPassword");
            server.set("security", vec![Node::from(scheme)]);
        }
        server.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_comes_through() {
        for text in [
            "amqp://guest:s3cret@mq.example.com:5672/shop",
            "amqp://guest:s3c/r@et@mq.example.com:5672/shop",
            "amqp://guest:s3c#r?et@mq.example.com:5672/shop?heartbeat=5",
            "live=amqp://guest:s3cret=@mq.example.com:5672/shop",
        ] {
            let server = Server::parse(text).unwrap();
            assert_eq!(
                (server.host.as_str(), server.vhost.as_deref()),
                ("mq.example.com:5672", Some("shop")),
                "{text}"
            );
            assert!(!server.node().to_json().contains("s3c"));
        }
        for text in [
            "s3cret",
            "http://guest:s3cret@a",
            "amqp://s3cret@",
            "amqp://guest:s3cret",
            "amqp://a/s3cret{",
            "s3cret{=amqp://a",
        ] {
            assert!(!Server::parse(text).unwrap_err().contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn the_usual_vhost_is_kept_encoded() {
        let server = Server::parse("amqps://mq/%2f").unwrap();
        let node = server.node().to_json();
        assert!(node.contains("\"pathname\": \"/%2f\"") && node.contains("\"amqps\""), "{node}");
    }
}
