//! Origins that a handler may send requests to, and which addresses are nobody's business to reach through one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::problem::brief;

/// Scheme, host and port of a server: what a grant for HTTP names, and what a request is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Whether it speaks TLS.
    pub is_tls: bool,
    /// The host in lower case: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Origin {
    /// Reads `scheme://host[:port]`. The error says what it is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = brief(text);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("`{shown}` is not an origin"));
        };
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(format!("`{shown}`: an origin begins with `https://` or `http://`")),
        };
        if rest.contains('*') {
            return Err(format!("`{shown}`: an origin is one host, without wildcards"));
        }
        if rest.contains('@') {
            return Err("an origin holds no user and no password".to_owned());
        }
        if rest.contains(['/', '?', '#']) {
            return Err(format!("`{shown}`: an origin has no path"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            None => usual_port(is_tls),
            Some(port) => port
                .parse()
                .ok()
                .filter(|port: &u16| *port > 0)
                .ok_or_else(|| format!("`{shown}` has no port number after `:`"))?,
        };
        Ok(Self { is_tls, host: host_of(host, &shown)?, port })
    }

    /// Whether a request to `authority` with this scheme is one to this origin. Anything but the plain way to write it
    /// is not: what two programs may read differently is not compared.
    pub fn is_for(&self, is_tls: bool, authority: &str) -> bool {
        if is_tls != self.is_tls {
            return false;
        }
        let authority = authority.to_ascii_lowercase();
        authority == self.authority() || authority == format!("{}:{}", self.host, self.port)
    }

    /// The host and, where it is not the usual one, the port.
    pub fn authority(&self) -> String {
        if self.port == usual_port(self.is_tls) {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// What kind of address the host is, or surely stands for, if that is not one of the public internet.
    pub fn private_kind(&self) -> Option<&'static str> {
        if self.host == "localhost" || self.host.ends_with(".localhost") {
            return Some("a loopback address");
        }
        self.address().and_then(private_kind)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

fn usual_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

/// The host in its one form, or what is wrong with it.
fn host_of(host: &str, shown: &str) -> Result<String, String> {
    let no_host = || format!("`{shown}` names no host");
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(no_host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| format!("`{shown}`: not an IPv6 address"))?;
        return Ok(format!("[{address}]"));
    }
    let named = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    if host.is_empty() || !host.chars().all(named) || host.starts_with('.') || host.contains("..") {
        return Err(no_host());
    }
    if host.ends_with('.') {
        return Err(format!("`{shown}`: leave out the `.` at the end of the host"));
    }
    // Resolvers take `127.1`, `0x7f.0.0.1` and `2130706433` for addresses; each reader of the contract for another.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .or(last.strip_prefix("0X"))
            .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err(format!("`{shown}`: an IPv4 address is four numbers, such as 192.0.2.1"));
    }
    Ok(host.to_ascii_lowercase())
}

/// What kind of address this is, if it is not one that a server on the public internet has.
pub fn private_kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => private_kind_v4(address),
        IpAddr::V6(address) => private_kind_v6(address),
    }
}

fn private_kind_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "an unspecified address",
        (127, ..) => "a loopback address",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (169, 254, _) => "a link-local address",
        (100, 64..=127, _) => "an address of a carrier's NAT",
        (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => "a reserved address",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "an address for documentation",
        (224..=239, ..) => "a multicast address",
        (240.., ..) => "a reserved address",
        _ => return None,
    })
}

fn private_kind_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        private_kind_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
        // These stand for an IPv4 address: mapped, and through NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Some("a private address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("an address for documentation"),
        // Teredo, ORCHID and others of the protocol block, and 6to4: tunnels that end who knows where.
        [0x2001, 0..=0x1ff, ..] | [0x2002, ..] => Some("an address of a tunnel"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_scheme_host_and_port() {
        let origin = Origin::parse("https://API.example.com").unwrap();
        assert_eq!(origin.to_string(), "https://api.example.com");
        for same in ["api.example.com", "API.EXAMPLE.COM", "api.example.com:443"] {
            assert!(origin.is_for(true, same), "{same}");
        }
        for other in [
            "",
            "example.com",
            "api.example.com.",
            "api.example.com:80",
            "api.example.com:",
            "api.example.com:0443",
            "user@api.example.com",
            "api.example.com:443@evil.example",
            "api.example.com\\.evil.example",
            "xapi.example.com",
            "api.example.com.evil.example",
            "api.example.com:443:80",
        ] {
            assert!(!origin.is_for(true, other), "{other}");
        }
        assert!(!origin.is_for(false, "api.example.com"));
        assert_eq!(Origin::parse("http://[0:0::1]:8080").unwrap().to_string(), "http://[::1]:8080");
    }

    #[test]
    fn odd_ways_to_write_an_address_are_no_origin() {
        for odd in [
            "http://127.1",
            "http://2130706433",
            "http://0x7f000001",
            "http://0x7f.0.0.1",
            "http://0177.0.0.1",
            "http://127.0.0.1.",
            "http://[::1",
            "http://[fe80::1%25eth0]",
            "http://example.com.",
            "http://.example.com",
            "http://exa mple.com",
            "http://127.0.0.1:0",
            "http://xn--\u{e9}.example",
        ] {
            assert!(Origin::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(private_kind(private.parse().unwrap()).is_some(), "{private}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(private_kind(public.parse().unwrap()), None, "{public}");
        }
    }
}
