//! TLS, mutual TLS and certificates in place of passwords, against a broker that really speaks them; and everything that
//! can be wrong with certificates and files, said so that it can be mended.

use crate::connections::{all_handled_once, slow, slow_letters};
use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::SUCCEEDS;
use crate::support::host::{Finished, Project};
use crate::support::node::ctl;
use crate::support::tls::{Authority, Certified, Https, Listener};
use crate::support::{SOON, eventually};

/// Exit codes, after sysexits.h.
const USAGE: i32 = 64;
const UNAVAILABLE: i32 = 69;
const NO_PERMISSION: i32 = 77;

const HERE: &[&str] = &["127.0.0.1", "localhost"];
const CA: &[&str] = &["--tls-ca", "ca.pem"];
const MUTUAL: &[&str] = &["--tls-ca", "ca.pem", "--tls-cert", "client.pem", "--tls-key", "client.key"];

/// Writes what a client has, in one go each, as a certificate manager does.
fn write_files(project: &Project, authority: &Authority, client: &Certified) {
    for (file, content) in
        [("ca.pem", &authority.pem()), ("client.pem", &client.cert), ("client.key", &client.key)]
    {
        project.write(&format!("{file}.new"), content);
        std::fs::rename(project.path(&format!("{file}.new")), project.path(file)).expect("a file");
    }
}

#[test]
fn messages_are_handled_over_tls() {
    let authority = Authority::new("ours");
    let Some(listener) = Listener::start(&authority.issue(HERE), None) else { return };
    let vhost = Vhost::fresh("tls");
    let project = Project::new(&slow());
    project.write("ca.pem", authority.pem());
    let url = listener.url("localhost", &vhost);
    let host = project.start_with(&url, CA);
    let port = listener.port();
    let ready = &host.events("ready")[0];
    assert!(ready["broker"].as_str().unwrap().contains(&format!("@localhost:{port}/")), "{ready}");
    vhost.client.publish_all("in", "task", slow_letters(20, 50));
    all_handled_once(&vhost, host, 20);
    // And so do the other commands.
    for command in ["plan", "apply"] {
        let done = project.run(&[command, "contract.yaml", "--amqp-url", &url, "--tls-ca", "ca.pem"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    let url = listener.url("127.0.0.1", &vhost);
    let mut publish = project.command(&["publish", "contract.yaml", "task", "-d", "{}", "--amqp-url", &url]);
    publish.env("WARREN_TLS_CA", project.path("ca.pem"));
    assert_eq!(project.spawn(publish).finish().code, Some(0));
    // What the system trusts, which this variable says.
    let mut publish = project.command(&["publish", "contract.yaml", "task", "-d", "{}", "--amqp-url", &url]);
    publish.env("SSL_CERT_FILE", project.path("ca.pem"));
    let done = project.spawn(publish).finish();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(vhost.leftovers(), [("work".to_owned(), 2)].into());
}

#[test]
fn certificates_that_are_replaced_are_used_without_a_restart() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let Some(listener) = Listener::start(&old.issue(HERE), Some(&old)) else { return };
    let vhost = Vhost::fresh("rotated");
    let project = Project::new(&slow());
    write_files(&project, &old, &old.issue_client("client"));
    let host = project.start_with(&listener.url("127.0.0.1", &vhost), MUTUAL);
    vhost.client.publish_all("in", "task", slow_letters(60, 200));
    eventually("some are handled", SOON, || (vhost.client.ready("echoes") >= 5).then_some(()));
    // The broker goes first, and neither side trusts the other. Its connections end with the port.
    listener.restart(&new.issue(HERE), &new);
    host.until_event("is not to be trusted", 1);
    write_files(&project, &new, &new.issue_client("client"));
    host.until_ready(2);
    all_handled_once(&vhost, host, 60);
}

#[test]
fn a_certificate_can_stand_for_a_password() {
    let authority = Authority::new("ours");
    let Some(listener) = Listener::start(&authority.issue(HERE), Some(&authority)) else { return };
    let offer = "rabbit_registry:register(auth_mechanism, <<\"EXTERNAL\">>, rabbit_auth_mechanism_ssl),
        {ok, Offered} = application:get_env(rabbit, auth_mechanisms),
        application:set_env(rabbit, auth_mechanisms, ['EXTERNAL' | Offered -- ['EXTERNAL']]),
        application:set_env(rabbit, ssl_options, [{verify, verify_peer}, {fail_if_no_peer_cert, true}]).";
    ctl(&["eval", offer]).expect("the project's own broker");
    let vhost = Vhost::fresh("external");
    let name = format!("client-{}", vhost.name());
    let project = Project::new(&slow());
    write_files(&project, &authority, &authority.issue_client(&name));
    let url = format!("amqps://127.0.0.1:{}/{}?auth_mechanism=external", listener.port(), vhost.name());
    let run = project.run(&[&["run", "contract.yaml", "--amqp-url", &url], MUTUAL].concat());
    assert_eq!(run.code, Some(NO_PERMISSION), "{}", run.stderr);
    assert!(run.stderr.contains("EXTERNAL"), "{}", run.stderr);
    let user = format!("CN={name}");
    vhost.add_user(&user, "of no use");
    let host = project.start_with(&url, MUTUAL);
    let ready = &host.events("ready")[0];
    assert!(!ready["broker"].as_str().unwrap().contains('@'), "{ready}");
    vhost.client.publish_all("in", "task", slow_letters(10, 50));
    all_handled_once(&vhost, host, 10);
    Vhost::delete_user(&user);
}

/// `run` asks for the broker's version first, and `publish` does not: both have to say the same.
fn both_refuse(project: &Project, url: &str, tls: &[&str], code: i32) -> String {
    let publish = ["publish", "contract.yaml", "task", "-d", "{}", "--wait-seconds", "0", "--amqp-url", url];
    let publish = project.run(&[publish.as_slice(), tls].concat());
    assert_eq!(publish.code, Some(code), "{}", publish.stderr);
    if code == UNAVAILABLE {
        let host = project.launch(url, tls);
        host.until_event("no broker at", 1);
        let said = host.events("no broker at")[0]["message"].to_string();
        let reason = publish.stderr.trim().trim_start_matches("error: ");
        assert!(said.contains(&reason.replace('"', "\\\"")), "{said}\n{reason}");
        return publish.stderr;
    }
    let run = project.run(&[&["run", "contract.yaml", "--amqp-url", url], tls].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(code), publish.stderr.as_str()));
    run.stderr
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let Some(good) = Listener::start(&ours.issue(&["127.0.0.1", "broker.example"]), None) else { return };
    let expired = Listener::start(&ours.issue_until(HERE, 2021), None).expect("the same broker");
    let mutual = Listener::start(&ours.issue(HERE), Some(&ours)).expect("the same broker");
    let vhost = Vhost::fresh("distrust");
    let project = Project::new(&Worker::new(SUCCEEDS));
    write_files(&project, &ours, &other.issue_client("client"));
    project.write("other.pem", other.pem());
    let plain = vhost.url().replacen("amqp://", "amqps://", 1);
    let in_the_clear = vhost.url_by(good.port());
    let with = |listener: &Listener, host: &str| listener.url(host, &vhost);
    let other_ca: &[&str] = &["--tls-ca", "other.pem"];
    for (url, tls, code, says) in [
        (with(&good, "127.0.0.1"), other_ca, NO_PERMISSION, "not from an issuer in `other.pem` of --tls-ca"),
        (with(&good, "127.0.0.1"), &[], NO_PERMISSION, "give the issuer's certificate with --tls-ca"),
        (
            with(&good, "localhost"),
            CA,
            NO_PERMISSION,
            "not for `localhost` but for 127.0.0.1, broker.example",
        ),
        (with(&expired, "127.0.0.1"), CA, NO_PERMISSION, "its certificate expired "),
        (
            with(&mutual, "127.0.0.1"),
            CA,
            NO_PERMISSION,
            "it wants a client certificate: give one with --tls-cert",
        ),
        (
            with(&mutual, "127.0.0.1"),
            MUTUAL,
            NO_PERMISSION,
            "`client.pem` of --tls-cert: it does not trust its issuer",
        ),
        (plain, CA, UNAVAILABLE, "does not speak TLS: use the port for TLS"),
        (in_the_clear, &[], UNAVAILABLE, "speaks TLS: use amqps://"),
    ] {
        let said = both_refuse(&project, &url, tls, code);
        assert!(said.contains(says), "`{says}` is not in {said}");
    }
}

#[test]
fn the_management_api_is_trusted_and_shown_the_same() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let https = Https::start(&ours.issue(HERE), &ours);
    let vhost = Vhost::fresh("https");
    let project = Project::new(&Worker::new(SUCCEEDS));
    write_files(&project, &ours, &ours.issue_client("client"));
    project.write("other.pem", other.pem());
    let url = format!("https://127.0.0.1:{}", https.port());
    let plan = |tls: &[&str]| {
        let plan = ["plan", "contract.yaml", "--amqp-url", &vhost.url(), "--management-url", &url];
        project.run(&[plan.as_slice(), tls].concat())
    };
    // Files for TLS are of use with a broker that is spoken to in the clear, because of the management API.
    let seen = plan(MUTUAL);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(75), ""));
    for (tls, says) in [
        (["--tls-ca", "other.pem"].as_slice(), "its certificate is not from an issuer in `other.pem`"),
        (CA, "it wants a client certificate"),
    ] {
        let not_seen = plan(tls);
        assert!(not_seen.stderr.contains(says), "`{says}` is not in {}", not_seen.stderr);
        assert!(not_seen.stderr.contains("over AMQP instead"), "{}", not_seen.stderr);
    }
}

#[test]
fn files_that_will_not_do_are_refused_before_anything_else() {
    let authority = Authority::new("ours");
    let (client, another) = (authority.issue_client("client"), authority.issue_client("another"));
    let project = Project::new(&Worker::new(SUCCEEDS));
    write_files(&project, &authority, &client);
    project.write("another.key", &another.key);
    project.write("text.pem", "not a certificate\n");
    project.write("cut.pem", &client.cert[..client.cert.len() / 2]);
    project.write("client.der", client.der());
    project.write("locked.key", another.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    let run = |url: &str, arguments: &[&str]| -> Finished {
        project.run(&[&["run", "nowhere.yaml", "--amqp-url", url], arguments].concat())
    };
    for (arguments, says) in [
        (["--tls-ca", "none.pem"].as_slice(), "`none.pem` of --tls-ca cannot be read: No such file"),
        (&["--tls-ca", "handlers"], "`handlers` of --tls-ca cannot be read: Is a directory"),
        (&["--tls-ca", "text.pem"], "`text.pem` of --tls-ca holds no certificate"),
        (&["--tls-ca", "cut.pem"], "`cut.pem` of --tls-ca is not PEM"),
        (&["--tls-ca", "client.der"], "`openssl x509 -inform der -in client.der`"),
        (&["--tls-ca", "client.key"], "holds a key and no certificate"),
        (&["--tls-cert", "client.pem"], "give --tls-key as well"),
        (&["--tls-key", "client.key"], "give --tls-cert as well"),
        (
            &["--tls-cert", "client.pem", "--tls-key", "another.key"],
            "`another.key` of --tls-key is not that of",
        ),
        (&["--tls-cert", "client.pem", "--tls-key", "client.pem"], "holds a certificate and no key"),
        (&["--tls-cert", "client.pem", "--tls-key", "text.pem"], "`text.pem` of --tls-key holds no key"),
        (&["--tls-cert", "client.pem", "--tls-key", "locked.key"], "`openssl pkey -in locked.key`"),
        (&["--tls-cert", "client.key", "--tls-key", "client.key"], "`client.key` of --tls-cert holds a key"),
        (&["--tls-cert", "ca.pem", "--tls-key", "client.key"], "`client.key` of --tls-key is not that of"),
    ] {
        let done = run("amqps://127.0.0.1:1", arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(USAGE), ""), "{}", done.stderr);
        assert!(done.stderr.contains(says), "{arguments:?} should say `{says}`: {}", done.stderr);
    }
    let done = run("amqp://127.0.0.1:1", CA);
    assert_eq!(done.code, Some(USAGE), "{}", done.stderr);
    assert!(done.stderr.contains("write amqps://"), "{}", done.stderr);
    // Fine as they are: the contract is looked for next. A key can be in another form, and in the same file.
    project.write("both.pem", format!("{}{}", client.cert, client.key));
    for arguments in [MUTUAL, &["--tls-cert", "both.pem", "--tls-key", "both.pem"]] {
        let done = run("amqps://127.0.0.1:1", arguments);
        assert!(done.stderr.contains("nowhere.yaml"), "{}", done.stderr);
    }
}
