//! Requests of handlers: to the origins that are listed, and no way round the list.

use std::fs;

use serde_json::{Value, json};

use crate::capabilities::{asked, refused, worker};
use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::USES_HTTP;
use crate::support::host::{Host, Project};
use crate::support::letter::Letter;
use crate::support::server::Server;
use crate::support::tls::Authority;

fn http_worker(server: &Server, allow_private: bool) -> Worker {
    let port = server.port();
    let grant = format!("{{ origin: \"http://localhost:{port}\", allowPrivate: true }}");
    let other = format!("{{ origin: \"http://127.0.0.1:{port}\", allowPrivate: {allow_private} }}");
    if allow_private {
        worker(USES_HTTP, &format!("http: [{grant}, {other}]"))
    } else {
        worker(USES_HTTP, &format!("http: [{grant}]"))
    }
}

#[test]
fn requests_go_to_the_origins_that_are_listed() {
    let vhost = Vhost::fresh("http");
    let server = Server::start();
    let host = Host::start(&http_worker(&server, false), &vhost);
    let url = format!("http://LOCALHOST:{}/echo", server.port());
    let request = json!({ "method": "POST", "url": url, "headers": [["x-own", "1"]], "body": "the body" });
    let told = asked(&vhost, &json!({ "requests": [request, { "url": url }, { "url": url }] }));
    let body = told["answers"][0]["body"].as_str().unwrap();
    assert!(body.starts_with("POST /echo HTTP/1.1\r\n") && body.ends_with("\nthe body"), "{body}");
    assert!(
        body.contains("x-own: 1\r\n") && body.contains(&format!("host: localhost:{}\r\n", server.port())),
        "{body}"
    );
    assert_eq!(told["answers"][2]["status"], 200);
    let more = vec![json!({ "url": url }); 20];
    asked(&vhost, &json!({ "requests": more }));
    host.finish();
    assert_eq!(server.requests().len(), 23);
    // One may be needed while the last is not back yet.
    assert!(server.connections() < 10, "{} connections", server.connections());
}

#[test]
fn no_way_leads_round_the_list_of_origins() {
    let vhost = Vhost::fresh("http-round");
    let (server, other) = (Server::start(), Server::start());
    let host = Host::start(&http_worker(&server, false), &vhost);
    let (port, far) = (server.port(), other.port());
    let denied = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://localhost.:{port}/"),
        format!("http://localhost:{far}/"),
        "http://localhost/".to_owned(),
        format!("https://localhost:{port}/"),
        format!("http://user@localhost:{port}/"),
        format!("http://localhost:{port}@127.0.0.1:{far}/"),
        format!("http://localhost:0{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    let requests: Vec<Value> = denied.iter().map(|url| json!({ "url": url })).collect();
    let told = asked(&vhost, &json!({ "requests": requests }));
    for (url, answer) in denied.iter().zip(told["answers"].as_array().unwrap()) {
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains("HttpRequestDenied") || error.contains("not valid"), "{url}: {answer}");
    }
    assert_eq!((server.requests().len(), other.requests().len()), (0, 0));

    let url = format!("http://localhost:{port}");
    let told = asked(
        &vhost,
        &json!({ "requests": [
            { "url": format!("{url}/moved?http://localhost:{far}/") },
            { "method": "CONNECT", "url": format!("{url}/") },
            { "url": format!("{url}/"), "headers": [["host", "evil.example"]] },
            { "url": format!("{url}/"), "headers": [["connection", "upgrade"], ["upgrade", "x"]] },
            { "url": format!("{url}/upgrade") },
        ] }),
    );
    let answers = &told["answers"];
    assert_eq!(answers[0]["status"], 302, "the guest sees it, the host does not follow");
    assert_eq!(answers[0]["location"], format!("http://localhost:{far}/"));
    assert_eq!(answers[1]["error"], "ErrorCode::HttpRequestMethodInvalid");
    assert!(answers[2]["error"].as_str().unwrap().contains("Forbidden"), "{answers}");
    assert!(answers[3]["error"].as_str().unwrap().contains("Forbidden"), "{answers}");
    assert_eq!(answers[4]["error"], "ErrorCode::HttpUpgradeFailed");
    assert_eq!(other.requests().len(), 0);
    assert!(!host.events("the contract does not list it").is_empty(), "the operator is told");
    host.finish();
}

#[test]
fn an_origin_at_a_private_address_has_to_be_allowed() {
    let vhost = Vhost::fresh("http-private");
    let server = Server::start();
    let port = server.port();
    for (origin, kind) in [
        (format!("http://127.0.0.1:{port}"), "a loopback address"),
        (format!("http://localhost:{port}"), "a loopback address"),
        ("https://10.1.2.3".to_owned(), "a private address"),
        ("http://169.254.169.254".to_owned(), "a link-local address"),
        ("http://[::ffff:10.0.0.1]".to_owned(), "a private address"),
    ] {
        let ended = refused(&Project::new(&worker(USES_HTTP, &format!("http: [\"{origin}\"]"))), &vhost, &[]);
        assert_eq!(ended.code, Some(78), "{}", ended.stderr);
        for said in [kind, "allowPrivate: true"] {
            assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
        }
    }
    // A name that leads there, by this machine's own table of names.
    let Some(name) = name_of_this_machine() else { return };
    let host = Host::start(&worker(USES_HTTP, &format!("http: [\"http://{name}:{port}\"]")), &vhost);
    let told = asked(&vhost, &json!({ "requests": [{ "url": format!("http://{name}:{port}/") }] }));
    assert_eq!(told["answers"][0]["error"], "ErrorCode::DestinationIpProhibited");
    host.until_event("allowPrivate: true", 1);
    host.finish();
    assert_eq!(server.connections(), 0);
}

/// A name other than `localhost` that stands for a private address here.
fn name_of_this_machine() -> Option<String> {
    let hosts = fs::read_to_string("/etc/hosts").ok()?;
    let entries = hosts.lines().filter(|line| line.starts_with("127.") || line.starts_with("::1"));
    let mut names = entries.flat_map(|line| line.split_whitespace().skip(1));
    names.find(|name| !name.ends_with("localhost") && !name.starts_with('#')).map(str::to_owned)
}

#[test]
fn answers_are_bounded_and_may_break_off() {
    let vhost = Vhost::fresh("http-bounds");
    let server = Server::start();
    let host = Host::start(&http_worker(&server, false).handler("deadlineMs: 20000, memoryMiB: 256"), &vhost);
    let url = format!("http://localhost:{}", server.port());
    let told = asked(
        &vhost,
        &json!({ "requests": [
            { "url": format!("{url}/big/1000000") },
            { "url": format!("{url}/cut") },
            { "url": format!("{url}/heads/100000") },
            { "url": format!("{url}/big/70000000") },
            { "url": format!("{url}/") },
        ] }),
    );
    let answers = &told["answers"];
    assert_eq!(answers[0]["length"], 1_000_000);
    // What breaks off within a body comes as a text.
    assert!(answers[1]["error"].as_str().unwrap().contains("incomplete"), "{answers}");
    assert!(answers[2]["error"].as_str().unwrap().contains("HttpResponseHeaderSectionSize"), "{answers}");
    for answer in [&answers[3], &answers[4]] {
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("body size exceeds limit"), "the limit is for the whole call: {error}");
    }
    let requests = vec![json!({ "url": format!("{url}/") }); 201];
    assert_eq!(asked(&vhost, &json!({ "requests": requests, "count": true }))["answered"], 200);
    host.finish();
}

#[test]
fn a_server_that_does_not_answer_costs_a_deadline() {
    let vhost = Vhost::fresh("http-never");
    let server = Server::start();
    let worker = http_worker(&server, false).handler("deadlineMs: 300").retry("mode: none");
    let host = Host::start(&worker, &vhost);
    let url = format!("http://localhost:{}/never", server.port());
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "requests": [{ "url": url }] })));
    let dead = vhost.client.take_one("dead");
    assert!(dead.text("x-last-error").contains("300 ms"), "{}", dead.text("x-last-error"));
    host.finish();
}

#[test]
fn tls_trusts_whom_the_system_trusts() {
    let vhost = Vhost::fresh("https");
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let good = Server::start_tls(&trusted.issue(&["localhost"]));
    let (wrong_name, unknown) =
        (Server::start_tls(&trusted.issue(&["elsewhere"])), Server::start_tls(&other.issue(&["localhost"])));
    let ports = [good.port(), wrong_name.port(), unknown.port()];
    let grant = |port: u16| format!("{{ origin: \"https://localhost:{port}\", allowPrivate: true }}");
    let project = Project::new(&worker(USES_HTTP, &format!("http: [{}]", ports.map(grant).join(", "))));
    project.write("trusted.pem", trusted.pem());
    let file = project.path("trusted.pem").display().to_string();
    let host = project.start_in(&vhost, &[("SSL_CERT_FILE", &file)]);
    let requests = ports.map(|port| json!({ "url": format!("https://localhost:{port}/") }));
    let told = asked(&vhost, &json!({ "requests": requests }));
    let answers = &told["answers"];
    assert_eq!(answers[0]["body"], "ok", "{answers}");
    assert_eq!(answers[1]["error"], "ErrorCode::TlsCertificateError");
    assert_eq!(answers[2]["error"], "ErrorCode::TlsCertificateError");
    assert!(!host.events("certificate").is_empty(), "the operator is told");
    host.finish();
}
