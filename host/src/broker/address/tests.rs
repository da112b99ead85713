//! What is read as an address, and in which order addresses are tried.

use super::*;

fn read(text: &str) -> Vec<String> {
    Address::parse(text).unwrap().endpoints.iter().map(Endpoint::to_string).collect()
}

#[test]
fn addresses_are_separated_by_commas() {
    let two = ["amqp://u@a:5672/v", "amqp://u@b:5673/v"];
    for text in [
        "amqp://u:p@a:5672/v,amqp://u:p@b:5673/v",
        "amqp://u:p@a:5672/v, amqp://u:p@b:5673/v",
        "amqp://u:p@a,b:5673/v",
        "amqp://u:p@a, b:5673/v",
    ] {
        assert_eq!(read(text), two, "{text}");
    }
    assert_eq!(
        read("amqps://a,b?heartbeat=5,amqp://c"),
        ["amqps://guest@a:5671/%2f", "amqps://guest@b:5671/%2f", "amqp://guest@c:5672/%2f"]
    );
    assert_eq!(read("amqp://u:p%2Cw@a/x%2Cy"), ["amqp://u@a:5672/x,y"]);
    assert_eq!(read("amqps://a/v?auth_mechanism=external"), ["amqps://a:5671/v"]);
}

#[test]
fn an_ip_address_is_the_host() {
    for (text, host, port) in [
        ("amqp://[2001:db8::1]:5673/v", "2001:db8::1", 5673),
        ("amqps://u:p@[::1]", "::1", 5671),
        ("amqp://10.0.0.1", "10.0.0.1", 5672),
    ] {
        let address = Address::parse(text).unwrap();
        assert_eq!((address.endpoints[0].host(), address.endpoints[0].port()), (host, port));
    }
    assert_eq!(read("amqp://[::1]:5673/v"), ["amqp://guest@[::1]:5673/v"]);
    // Why the brackets are read here. When this fails, lapin can do it, and they need not be.
    assert_eq!(AMQPUri::from_str("amqp://[2001:db8::1]/v").unwrap().authority.host, "localhost");
}

#[test]
fn what_is_wrong_is_said_without_the_password() {
    let many = vec!["h"; 33].join(",");
    for (text, says) in [
        ("amqp://u:secret,x@a/v", "%2C"),
        ("amqp://u:secret@a,u:secret@b/v", "%2C"),
        ("amqp://u:secret@a/v,w", "%2C"),
        ("amqp://u:secret@a/v,", "%2C"),
        ("amqp://u:secret@a,,b/v", "%2C"),
        ("amqp://u:se/secret@a/v", "%2F"),
        ("amqp://u:se#secret@a/v", "%23"),
        ("amqp://u:secret@a/v,amqp://u:secret@b/w", "different vhosts, `v` and `w`"),
        ("http://u:secret@a/v", "scheme"),
        ("secret", "://"),
        ("amqp://u:secret@[::g]/v", "IPv6"),
        ("amqp://u:secret@a:port/v", "port"),
        ("amqp://u:secret@a/v?connection_timeout=0", "between 1 and 300000"),
        (&format!("amqp://{many}/v"), "33 addresses"),
    ] {
        let error = Address::parse(text).unwrap_err();
        assert!(error.contains(says) && !error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn a_round_begins_with_what_worked_and_fails_over_to_the_next() {
    let address = Address::parse("amqp://u:p@a,b,c/v").unwrap();
    address.next.store(1, Ordering::Relaxed);
    let mut round = address.round();
    let mut hosts = Vec::new();
    while let Some(endpoint) = round.endpoint() {
        hosts.push(endpoint.host().to_owned());
        round.failed(Trouble::Absent("dead".to_owned()));
    }
    assert_eq!(hosts, ["b", "c", "a"]);
    // The same, wherever a round begins.
    let dead = "none of the 3 addresses of the broker works: no broker at amqp://u@a:5672/v: dead; no broker at amqp://u@b:5672/v: dead; no broker at amqp://u@c:5672/v: dead";
    assert_eq!(round.into_error().to_string(), dead);

    let mut round = address.round();
    round.failed(Trouble::Absent("dead".to_owned()));
    round.succeeded();
    let first = || address.round().endpoint().map(|endpoint| endpoint.host().to_owned());
    assert_eq!(first().as_deref(), Some("c"));
    // Two connections to it were lost; the second says nothing new.
    (0..2).for_each(|_| address.clone().fail_over("amqp://u@c:5672/v"));
    assert_eq!(first().as_deref(), Some("a"));
}

#[test]
fn a_refusal_counts_where_nobody_who_is_there_takes_us() {
    let address = Address::parse("amqp://a,b/v").unwrap();
    let end = |troubles: [Trouble; 2]| {
        let mut round = address.round();
        troubles.into_iter().for_each(|trouble| round.failed(trouble));
        round.into_error()
    };
    let no = || String::from("no");
    assert!(matches!(end([Trouble::Absent(no()), Trouble::Refused(no())]), ConnectError::Refused { .. }));
    assert!(matches!(end([Trouble::Untrusted(no()), Trouble::Absent(no())]), ConnectError::Refused { .. }));
    assert!(matches!(end([Trouble::Absent(no()), Trouble::Unfit(no())]), ConnectError::Unreachable { .. }));
}
