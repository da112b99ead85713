//! Several addresses of one broker, of which some are dead or refuse; and a broker that no longer lets a host in, and then
//! does again.

use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use crate::connections::{all_handled_once, slow, slow_letters};
use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::forwarder::{Forwarder, free_port};
use crate::support::guests::{ECHOES, SUCCEEDS};
use crate::support::host::{Host, Project};
use crate::support::{SOON, eventually};

/// Exit codes, after sysexits.h.
const UNAVAILABLE: i32 = 69;
const NO_PERMISSION: i32 = 77;

fn forwarder_at(port: u16) -> Forwarder {
    Forwarder::of(TcpListener::bind(("127.0.0.1", port)).expect("a free port"))
}

/// The port that the host has said to use when it was last ready.
fn port_in_use(host: &Host) -> u16 {
    let ready = host.events("ready");
    let address = ready.last().and_then(|event| event["broker"].as_str()).expect("an address");
    let port = address.rsplit(':').next().and_then(|rest| rest.split('/').next());
    port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {address}"))
}

#[test]
fn a_host_fails_over_to_the_other_address_and_back() {
    let vhost = Vhost::fresh("failover");
    let ports = [free_port(), free_port()];
    let mut nodes = ports.map(|port| Some(forwarder_at(port)));
    let url = ports.map(|port| vhost.url_by(port)).join(",");
    let host = Project::new(&slow()).start_with(&url, &[]);
    vhost.client.publish_all("in", "task", slow_letters(80, 300));
    for round in 1..=3 {
        eventually("some more are handled", SOON, || {
            (vhost.client.ready("echoes") >= 10 * round).then_some(())
        });
        let used = port_in_use(&host);
        let node = usize::from(used == ports[1]);
        nodes[node] = None;
        host.until_ready(round as usize + 1);
        assert_eq!(port_in_use(&host), ports[1 - node]);
        nodes[node] = Some(forwarder_at(ports[node]));
    }
    all_handled_once(&vhost, host, 80);
}

#[test]
fn a_dead_address_keeps_no_command_from_its_work() {
    let vhost = Vhost::fresh("half-dead");
    let project = Project::new(&Worker::new(ECHOES));
    let (dead, alive) = (vhost.url_by(free_port()), vhost.url());
    // Which one is tried first is left to chance; some of these begin with the dead one.
    for n in 0..4 {
        let both = if n % 2 == 0 { format!("{dead},{alive}") } else { format!("{alive},{dead}") };
        let id = format!("m-{n}");
        let publish = project.run(&[
            "publish",
            "contract.yaml",
            "task",
            "-d",
            "{}",
            "--message-id",
            &id,
            "--wait-seconds",
            "0",
            "--amqp-url",
            &both,
        ]);
        assert_eq!(publish.code, Some(0), "{}", publish.stderr);
        let plan = project.run(&["plan", "contract.yaml", "--amqp-url", &both]);
        assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    }
    let apply = project.run(&["apply", "contract.yaml", "--amqp-url", &dead, "--amqp-url", &alive]);
    assert_eq!(apply.code, Some(0), "{}", apply.stderr);
    let host = project.start_with(&dead, &["--amqp-url", &alive]);
    all_handled_once(&vhost, host, 4);
}

#[test]
fn addresses_that_do_not_work_are_all_named_with_the_reason() {
    let vhost = Vhost::fresh("all-dead");
    let project = Project::new(&Worker::new(SUCCEEDS));
    let (dead, other) = (vhost.url_by(free_port()), vhost.url_by(free_port()));
    let refusing = vhost.url().replacen(":guest@", ":secret@", 1);
    let no_name = "amqp://guest:secret@no-such-host.invalid";
    let no_name = format!("{no_name}/{}", vhost.name());
    for (urls, code, says) in [
        ([&dead, &other], UNAVAILABLE, ["Connection refused", "Connection refused"]),
        (
            [&dead, &no_name],
            UNAVAILABLE,
            ["Connection refused", "`no-such-host.invalid` cannot be looked up"],
        ),
        // It counts what those say that are there.
        ([&dead, &refusing], NO_PERMISSION, ["Connection refused", "refused: ACCESS_REFUSED"]),
        ([&refusing, &refusing], NO_PERMISSION, ["refused: ACCESS_REFUSED", "refused: ACCESS_REFUSED"]),
    ] {
        let all = urls.map(String::as_str).join(",");
        let publish =
            ["publish", "contract.yaml", "task", "-d", "{}", "--wait-seconds", "0", "--amqp-url", &all];
        let mut commands = vec![publish.to_vec()];
        if code == NO_PERMISSION {
            commands.push(vec!["run", "contract.yaml", "--amqp-url", &all]);
        }
        for command in commands {
            let done = project.run(&command);
            assert_eq!(done.code, Some(code), "{command:?}: {}", done.stderr);
            let (first, second) = done.stderr.split_once("; ").unwrap_or_else(|| panic!("{}", done.stderr));
            assert!(first.contains("none of the 2 addresses") && first.contains(says[0]), "{}", done.stderr);
            assert!(second.contains(says[1]), "{}", done.stderr);
            assert!(!done.stderr.contains("secret"), "a password is shown: {}", done.stderr);
        }
    }
}

/// A broker that takes the connection and then says nothing is given up, and nothing of the try is left behind.
#[test]
fn a_silent_address_is_given_up_and_its_connection_closed() {
    let vhost = Vhost::fresh("speechless");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent = vhost.url_by(listener.local_addr().unwrap().port());
    let project = Project::new(&Worker::new(SUCCEEDS));
    let mut command = project.command(&["publish", "contract.yaml", "task", "-d", "{}"]);
    command.args(["--wait-seconds", "600", "--amqp-url", &format!("{silent}?connection_timeout=300")]);
    let mut publish = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut taken: Vec<_> = (0..3).map(|_| listener.accept().unwrap().0).collect();
    // The second try has begun, so the first is over: it has said its greeting, and then the end.
    let mut said = Vec::new();
    taken[0].set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    taken[0].read_to_end(&mut said).unwrap();
    assert_eq!(said, b"AMQP\x00\x00\x09\x01");
    assert!(publish.try_wait().unwrap().is_none(), "it has ended");
    publish.kill().unwrap();
    publish.wait().unwrap();
}

/// A user of the test's own; deleted when dropped.
struct User<'a> {
    vhost: &'a Vhost,
    name: String,
}

impl<'a> User<'a> {
    fn new(vhost: &'a Vhost) -> Self {
        let name = format!("user-{}", vhost.name());
        vhost.add_user(&name, "right");
        Self { vhost, name }
    }

    fn url_by(&self, port: u16) -> String {
        format!("amqp://{}:right@127.0.0.1:{port}/{}", self.name, self.vhost.name())
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        Vhost::delete_user(&self.name);
    }
}

/// A host that is let in no more while messages are in flight tries on, says so once, and goes on when it is let in.
fn locked_out(name: &str, lock_out: impl Fn(&User<'_>), let_in: impl Fn(&User<'_>)) {
    let vhost = Vhost::fresh(name);
    let user = User::new(&vhost);
    let forwarder = Forwarder::start();
    let host = Project::new(&slow()).start_with(&user.url_by(forwarder.port()), &[]);
    vhost.client.publish_all("in", "task", slow_letters(60, 300));
    eventually("some are handled", SOON, || (vhost.client.ready("echoes") >= 5).then_some(()));
    lock_out(&user);
    vhost.close_connection("warren consumes");
    host.until_event("refused", 1);
    let tries = forwarder.connections();
    eventually("some more tries", SOON, || (forwarder.connections() >= tries + 3).then_some(()));
    assert_eq!(host.events("refused").len(), 1, "said once");
    assert_eq!(host.events("ready").len(), 1);
    let_in(&user);
    host.until_ready(2);
    all_handled_once(&vhost, host, 60);
}

#[test]
fn a_password_that_is_changed_and_restored_loses_nothing() {
    let set = |password: &'static str| move |user: &User<'_>| user.vhost.set_password(&user.name, password);
    locked_out("password", set("other"), set("right"));
}

#[test]
fn permissions_that_are_cleared_and_restored_lose_nothing() {
    locked_out("permissions", |user| user.vhost.forbid(&user.name), |user| user.vhost.permit(&user.name));
}

/// What a handler publishes may be refused by a broker that lets the host in and hands it messages.
#[test]
fn a_right_to_publish_that_is_taken_away_and_given_back_loses_nothing() {
    let vhost = Vhost::fresh("right");
    let user = User::new(&vhost);
    let forwarder = Forwarder::start();
    let host = Project::new(&slow()).start_with(&user.url_by(forwarder.port()), &[]);
    vhost.client.publish_all("in", "task", slow_letters(60, 300));
    eventually("some are handled", SOON, || (vhost.client.ready("echoes") >= 5).then_some(()));
    vhost.forbid_publishing_to("out", &user.name);
    // The broker may go by what was allowed for as long as the connection lasts.
    forwarder.cut();
    let kept = "the message is kept and tried again";
    host.until_event(kept, 1);
    let handled = vhost.client.ready("echoes");
    let refused = host.events(kept).len();
    host.until_event(kept, refused + 1);
    assert_eq!(vhost.client.ready("echoes"), handled);
    vhost.permit(&user.name);
    all_handled_once(&vhost, host, 60);
}

#[test]
fn an_address_that_is_none_is_refused_with_the_fix() {
    let project = Project::new(&Worker::new(SUCCEEDS));
    for (url, says) in [
        ("amqp://u:secret,x@a:5672/v", "%2C"),
        ("amqp://u:se/secret@a:5672/v", "%2F"),
        ("amqp://u:secret@a/v,amqp://u:secret@b/w", "different vhosts"),
        ("secret", "write amqp://user:password@host:port/vhost"),
    ] {
        for command in ["run", "plan", "apply"] {
            let done = project.run(&[command, "contract.yaml", "--amqp-url", url]);
            assert_eq!(done.code, Some(64), "{}", done.stderr);
            assert!(done.stderr.contains(says) && !done.stderr.contains("secret"), "{}", done.stderr);
        }
    }
}
