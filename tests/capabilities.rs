//! What handlers are granted beside their messages, and what they are not.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::broker::Vhost;
use crate::support::client::Letter;
use crate::support::contract::Worker;
use crate::support::guests::{Guest, USES_CONFIG, USES_FILES, USES_HTTP, USES_KEY_VALUE};
use crate::support::host::{Finished, Host, Project};
use crate::support::server::Server;
use crate::support::tls::Authority;

fn worker(guest: Guest, capabilities: &str) -> Worker {
    Worker::new(guest).consumer(&format!("capabilities: {{ {capabilities} }}"))
}

/// Hands a message to the worker and takes what it has published.
fn asked(vhost: &Vhost, task: &Value) -> Value {
    vhost.client.publish("in", "task", Letter::json("m-1", task));
    vhost.client.take_one("echoes").json()
}

/// `warren run` on a vhost of its own, which is expected to refuse.
fn refused(project: &Project, vhost: &Vhost, environment: &[(&str, &str)]) -> Finished {
    let mut command = project.command(&["run", "contract.yaml", "--amqp-url", &vhost.url()]);
    command.envs(environment.iter().copied());
    project.spawn(command).finish()
}

#[test]
fn configuration_and_secrets_are_read_by_name() {
    let vhost = Vhost::fresh("config");
    let project = Project::new(&worker(
        USES_CONFIG,
        "config: { currency: EUR }, secrets: [TOKEN, { name: KEY, file: secrets/key }]",
    ));
    fs::create_dir(project.path("secrets")).unwrap();
    project.write("secrets/key", "from a file\n");
    let host = project.start_in(&vhost, &[("TOKEN", "from the environment"), ("OTHER", "not granted")]);
    let told = asked(&vhost, &json!({ "get": ["currency", "TOKEN", "KEY", "OTHER", "PATH"] }));
    assert_eq!(told["values"], json!(["EUR", "from the environment", "from a file", null, null]));
    assert_eq!(told["keys"], 3);
    host.finish();
}

#[test]
fn a_secret_that_is_not_there_is_refused_with_both_ways_to_give_it() {
    let vhost = Vhost::fresh("no-secret");
    let project =
        Project::new(&worker(USES_CONFIG, "secrets: [TOKEN_A, { name: TOKEN_B, file: nowhere/b }, EMPTY]"));
    let ended = refused(&project, &vhost, &[("EMPTY", "")]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    for said in [
        "the secret `TOKEN_A` is not there: the host has no environment variable of this name",
        "consumers.worker.capabilities.secrets.0",
        "set the environment variable TOKEN_A of the host, or write `{ name: TOKEN_A, file: PATH }`",
        "the secret `TOKEN_B` cannot be read from `nowhere/b`",
        "the secret `EMPTY` is empty",
        "3 problems",
    ] {
        assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
    }
    // To look at the contract, they need not be there.
    assert_eq!(project.run(&["check", "contract.yaml"]).code, Some(0));
}

#[test]
fn secrets_are_in_no_log_and_no_dead_letter() {
    const SECRET: &str = "s3cr3t-of-the-handler";
    let vhost = Vhost::fresh("redact");
    let project = Project::new(&worker(USES_CONFIG, "secrets: [TOKEN]").retry("mode: none"));
    let host = project.start_in(&vhost, &[("TOKEN", SECRET)]);
    for (index, how) in ["log", "field", "stderr", "fail", "panic"].into_iter().enumerate() {
        let task = json!({ "say": "TOKEN", "how": how });
        vhost.client.publish("in", "task", Letter::json(&format!("m-{index}"), &task));
    }
    let dead = vhost.client.take("dead", 2);
    let errors: Vec<String> = dead.iter().map(|letter| letter.text("x-last-error")).collect();
    assert!(errors.iter().any(|error| error.contains("refused with ***")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("panicked with ***")), "{errors:?}");
    for letter in &dead {
        assert!(!format!("{letter:?}").contains(SECRET), "{letter:?}");
    }
    host.until_event("the value is *** indeed", 2);
    host.until_event("value=\"***\"", 1);
    let log = host.log();
    host.finish();
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn what_a_component_imports_has_to_be_granted() {
    let vhost = Vhost::fresh("ungranted");
    for (guest, capabilities, import, grant) in [
        (
            USES_CONFIG,
            "",
            "wasi:config/store@0.2.0-rc.1",
            "capabilities: { config: { KEY: value }, secrets: [NAME] }",
        ),
        (USES_HTTP, "", "wasi:http/outgoing-handler@0.2", "capabilities: { http: [\"https://HOST\"] }"),
        (
            USES_KEY_VALUE,
            "config: { a: b }",
            "wasi:keyvalue/store@0.2.0-draft",
            "capabilities: { keyValue: [NAME] }",
        ),
    ] {
        let worker = if capabilities.is_empty() { Worker::new(guest) } else { worker(guest, capabilities) };
        let ended = refused(&Project::new(&worker), &vhost, &[]);
        assert_eq!(ended.code, Some(78), "{}", ended.stderr);
        let place =
            if capabilities.is_empty() { "consumers.worker" } else { "consumers.worker.capabilities" };
        for said in [import, grant, place, "which the contract does not grant"] {
            assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
        }
    }
}

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

/// A project whose handler sees `data` at `/data` and, to write, `spool` at `/spool`; `outside` holds what it must not.
fn files_project() -> Project {
    let project = Project::new(&worker(
        USES_FILES,
        "files: [{ path: data, at: /data }, { path: spool, at: /spool, access: read-write }]",
    ));
    for folder in ["data", "data/inner", "spool", "outside"] {
        fs::create_dir(project.path(folder)).unwrap();
    }
    project.write("data/a.txt", "the content");
    project.write("data/inner/b.txt", "within");
    project.write("outside/secret.txt", "not for you");
    let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, project.path(at)).unwrap();
    link(Path::new("../outside/secret.txt"), "data/up");
    link(&project.path("outside/secret.txt"), "data/absolute");
    link(Path::new("../outside"), "spool/folder");
    link(Path::new("a.txt"), "data/fine");
    project
}

fn stepped(vhost: &Vhost, steps: &[&[&str]]) -> Vec<String> {
    let told = asked(vhost, &json!({ "steps": steps }));
    let texts = told["steps"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn folders_are_seen_where_the_contract_puts_them() {
    let vhost = Vhost::fresh("files");
    let project = files_project();
    let host = project.start(&vhost);
    let told = asked(&vhost, &json!({ "steps": [] }));
    assert_eq!(told["seen"], json!(["/data", "/spool"]));
    let steps = stepped(
        &vhost,
        &[
            &["read", "/data", "a.txt"],
            &["read", "/data", "fine"],
            &["read", "/data", "inner/../inner/b.txt"],
            &["list", "/data", "inner"],
            &["write", "/spool", "new.txt", "written"],
            &["read", "/spool", "new.txt"],
            &["rename", "/spool", "new.txt", "/spool", "newer.txt"],
        ],
    );
    assert_eq!(steps, ["the content", "the content", "within", "b.txt", "done", "written", "done"]);
    assert_eq!(fs::read_to_string(project.path("spool/newer.txt")).unwrap(), "written");
    host.finish();
}

#[test]
fn nothing_leads_out_of_a_folder() {
    let vhost = Vhost::fresh("files-out");
    let project = files_project();
    let host = project.start(&vhost);
    let absolute = project.path("outside/secret.txt").display().to_string();
    let attempts: &[&[&str]] = &[
        &["read", "/data", "../outside/secret.txt"],
        &["read", "/data", "inner/../../outside/secret.txt"],
        &["read", "/data", &absolute],
        &["read", "/data", "/etc/passwd"],
        &["read", "/data", "up"],
        &["read", "/data", "absolute"],
        &["read", "/spool", "folder/secret.txt"],
        &["list", "/spool", "folder"],
        &["list", "/spool", ".."],
        &["symlink", "/spool", &absolute, "made"],
        &["read", "/spool", "made"],
        &["symlink", "/spool", "../outside/secret.txt", "made-2"],
        &["read", "/spool", "made-2"],
        &["write", "/spool", "made-2", "changed"],
        &["link", "/spool", "../outside/secret.txt", "/spool", "hard"],
        &["link", "/spool", "made-2", "/spool", "hard"],
        &["rename", "/spool", "../outside/secret.txt", "/spool", "taken"],
        &["rename", "/data", "a.txt", "/spool", "taken"],
        &["link", "/data", "a.txt", "/spool", "taken"],
        &["write", "/spool", "../outside/new.txt", "new"],
        &["make", "/spool", "../outside/new"],
        &["write", "/data", "new.txt", "new"],
        &["write", "/data", "a.txt", "changed"],
        &["truncate", "/data", "a.txt"],
        &["remove", "/data", "a.txt"],
        &["make", "/data", "new"],
        &["symlink", "/data", "a.txt", "new"],
        &["rename", "/data", "a.txt", "/data", "b.txt"],
    ];
    let came = stepped(&vhost, attempts);
    for (attempt, came) in attempts.iter().zip(came) {
        // To make a link that leads out is no harm; to go by it would be.
        let may_be_done = attempt[0] == "symlink" && attempt[1] == "/spool";
        assert!(may_be_done || came != "done", "{attempt:?}: {came}");
        assert!(
            !came.contains("not for you") && !came.contains("secret") && !came.contains("root:"),
            "{attempt:?}: {came}"
        );
    }
    assert_eq!(fs::read_to_string(project.path("outside/secret.txt")).unwrap(), "not for you");
    assert_eq!(fs::read_dir(project.path("outside")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(project.path("data/a.txt")).unwrap(), "the content");
    assert_eq!(fs::read_dir(project.path("data")).unwrap().count(), 5);
    host.finish();
}

#[test]
fn a_folder_stays_the_one_that_was_opened() {
    let vhost = Vhost::fresh("files-swapped");
    let project = files_project();
    let host = project.start(&vhost);
    // As another handler could that may write to the folder which they are in.
    fs::rename(project.path("data"), project.path("data-2")).unwrap();
    std::os::unix::fs::symlink(project.path("outside"), project.path("data")).unwrap();
    let steps = stepped(&vhost, &[&["read", "/data", "secret.txt"], &["read", "/data", "a.txt"]]);
    assert_eq!(steps, ["no-entry", "the content"]);
    host.finish();
}

#[test]
fn folders_that_cannot_be_granted_are_refused() {
    let vhost = Vhost::fresh("files-refused");
    let project = Project::new(&worker(
        USES_FILES,
        "files: [{ path: nowhere, at: /a }, { path: contract.yaml, at: /b }, { path: handlers, at: /c, access: read-write }, { path: state, at: /d }, { path: /, at: /e }]",
    ));
    fs::create_dir(project.path("state")).unwrap();
    let ended = refused(&project, &vhost, &[("WARREN_DATA", "state")]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    for said in [
        "the folder `nowhere` cannot be opened: No such file or directory",
        "make the folder before the host starts",
        "consumers.worker.capabilities.files.0.path",
        "`contract.yaml` is not a folder",
        "the handler could write to the contract or the components",
        "the folder `state` and the host's own",
        "the folder `/` and the host's own",
        "5 problems",
    ] {
        assert!(ended.stderr.contains(said), "`{said}` is not in: {}", ended.stderr);
    }
}

fn stores_worker(stores: &str) -> Worker {
    worker(USES_KEY_VALUE, &format!("keyValue: [{stores}]"))
}

#[test]
fn a_store_keeps_what_a_call_that_succeeds_has_written() {
    let vhost = Vhost::fresh("stores");
    let project = Project::new(&stores_worker("orders").retry("mode: none"));
    let host = project.start(&vhost);
    let stepped =
        |steps: Value| asked(&vhost, &json!({ "store": "orders", "steps": steps }))["steps"].clone();
    let told = stepped(json!([
        ["get", "a"],
        ["set", "a", "1"],
        ["get", "a"],
        ["exists", "a"],
        ["set", "b", "2"],
        ["keys"],
        ["delete", "b"],
        ["exists", "b"],
        ["keys"],
        ["increment", "n", "5"],
        ["increment", "n", "2"]
    ]));
    assert_eq!(told, json!([null, null, "1", true, null, ["a", "b"], null, false, ["a"], 5, 7]));
    assert_eq!(
        stepped(json!([["keys"], ["get", "n"], ["increment", "a", "1"]])),
        json!([["a", "n"], "7", 2])
    );

    for then in ["fail", "trap"] {
        let task =
            json!({ "store": "orders", "steps": [["set", "a", "lost"], ["delete", "n"]], "then": then });
        vhost.client.publish("in", "task", Letter::json("m-2", &task));
        vhost.client.take_one("dead");
        assert_eq!(stepped(json!([["get", "a"], ["get", "n"]])), json!(["2", "7"]));
    }
    host.kill9();
    let host = project.start(&vhost);
    assert_eq!(stepped(json!([["get", "a"], ["get", "n"]])), json!(["2", "7"]));
    host.finish();
}

#[test]
fn stores_are_bounded_and_only_those_that_are_listed() {
    let vhost = Vhost::fresh("stores-bounds");
    let contract = stores_worker("{ name: small, maxMiB: 1 }").retry("mode: none").to_string();
    // Another consumer's store is not this one's.
    let queue = "  other: { deadLetter: { exchange: dlx, routingKey: dead } }\n";
    let other = format!(
        "  other: {{ queue: other, message: task, publishes: [echoed], capabilities: {{ keyValue: [theirs] }}, handler: {{ component: handlers/{} }} }}\n",
        USES_KEY_VALUE.file()
    );
    let binding = "bindings:\n  other: { exchange: in, queue: other, routingKey: other }\n";
    let contract = contract.replace("  dead: {}\n", &format!("  dead: {{}}\n{queue}"));
    let contract = contract.replace("bindings:\n", binding) + &other;
    let host = Host::start(&contract, &vhost);
    let opened = |store: &str| asked(&vhost, &json!({ "store": store, "steps": [] }))["steps"].clone();
    assert_eq!(opened("theirs"), json!([{ "error": "NotGranted" }]));
    assert_eq!(opened("nobodys"), json!([{ "error": "NoSuchStore" }]));
    assert_eq!(opened("small"), json!([]));
    let told = asked(
        &vhost,
        &json!({ "store": "small", "steps": [
            ["set", "", "x"], ["set", "k".repeat(2000), "x"], ["fill", "k", "2000000"], ["set", "t", "text"], ["increment", "t", "1"]
        ] }),
    );
    let errors: Vec<&str> = told["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["error"].as_str().unwrap_or("none"))
        .collect();
    assert_eq!(
        errors,
        [
            "a key has 1 to 1024 bytes, this has 0",
            "a key has 1 to 1024 bytes, this has 2000",
            "a value has at most 1048576 bytes, this has 2000000",
            "none",
            "the value is not a number in decimal digits"
        ]
    );
    asked(&vhost, &json!({ "store": "small", "steps": [["fill", "a", "900000"]] }));
    let full = json!({ "store": "small", "steps": [["fill", "b", "900000"]] });
    vhost.client.publish("in", "task", Letter::json("m-2", &full));
    let dead = vhost.client.take_one("dead");
    assert!(dead.text("x-last-error").contains("the key-value store `small` is full"), "{dead:?}");
    host.finish();
}

#[test]
fn calls_at_the_same_time_lose_no_step_of_a_number() {
    const COUNT: usize = 200;
    let vhost = Vhost::fresh("stores-counted");
    let host = Host::start(&stores_worker("counts").handler("deadlineMs: 60000, concurrency: 16"), &vhost);
    let task = json!({ "store": "counts", "steps": [["increment", "n", "1"]], "wait_ms": 1 });
    let letters = (0..COUNT).map(|index| Letter::json(&format!("m-{index}"), &task)).collect();
    vhost.client.publish_all("in", "task", letters);
    let got = vhost.client.take("echoes", COUNT);
    let mut numbers: Vec<u64> =
        got.iter().map(|letter| letter.json()["steps"][0].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=COUNT as u64).collect::<Vec<_>>(), "each is given out once");
    host.finish();
}

#[test]
fn two_hosts_share_the_stores_of_a_folder() {
    let (one, other) = (Vhost::fresh("stores-one"), Vhost::fresh("stores-other"));
    let project = Project::new(&stores_worker("shared"));
    let hosts = [project.start(&one), project.start(&other)];
    let step = |vhost: &Vhost| {
        asked(vhost, &json!({ "store": "shared", "steps": [["increment", "n", "1"]] }))["steps"][0].clone()
    };
    assert_eq!([step(&one), step(&other), step(&one)], [json!(1), json!(2), json!(3)]);
    for host in hosts {
        host.finish();
    }
}

#[test]
fn a_data_folder_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let vhost = Vhost::fresh("stores-open");
    let project = Project::new(&stores_worker("orders"));
    fs::create_dir(project.path("open")).unwrap();
    fs::set_permissions(project.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let host = project.launch(&vhost.url(), &["--data", "open"]);
    assert_eq!(host.until_exit(SOON), Some(70));
    assert!(host.log().contains("it must be yours alone") && host.log().contains("--data"), "{}", host.log());
}
