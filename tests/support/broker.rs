//! The broker under test, a vhost of its own for each test, and the management API.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::client::Client;
use super::{SOON, eventually};

/// Where the broker is, and what it is.
#[derive(Debug)]
pub(crate) struct Broker {
    /// `amqp://user:password@host:port`, without a vhost.
    pub(super) amqp: String,
    /// `http://user:password@host:port`.
    management: String,
    /// Major and minor version.
    pub(crate) version: (u32, u32),
}

/// The broker that the environment names, or else the project's own, started if need be.
pub(crate) fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| {
        let (amqp, management) = urls();
        let (scheme, rest) = amqp.split_once("://").expect("an AMQP URL");
        let (authority, _vhost) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, _) = authority.split_once('@').expect("user and password in the AMQP URL");
        let management = match management.split_once("://") {
            Some((http, host)) if !host.contains('@') => format!("{http}://{user}@{host}"),
            _ => management.clone(),
        };
        let amqp = format!("{scheme}://{authority}");
        let mut broker = Broker { amqp, management, version: (0, 0) };
        let overview = broker.call("GET", "/api/overview", None).expect("the management API answers");
        let version = overview["rabbitmq_version"].as_str().expect("a version");
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        broker.version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        broker
    })
}

/// `http://user:password@host:port` of the management API.
pub(crate) fn management_url() -> &'static str {
    &broker().management
}

/// From the environment, else from `scripts/broker`.
fn urls() -> (String, String) {
    let named = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    if let (Some(amqp), Some(management)) = (named("WARREN_AMQP_URL"), named("WARREN_MANAGEMENT_URL")) {
        return (amqp, management);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/broker");
    let run = |argument: &str| {
        let output = Command::new(script).arg(argument).output().expect("scripts/broker runs");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "scripts/broker {argument}: {said} {complaint}");
        said
    };
    run("start");
    (run("url"), run("management-url"))
}

impl Broker {
    /// Calls the management API. None: there is no such thing.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        self.send(method, path, body.map(Value::to_string).unwrap_or_default())
    }

    fn send(&self, method: &str, path: &str, body: String) -> Option<Value> {
        self.try_send(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn try_send(&self, method: &str, path: &str, body: String) -> Result<Option<Value>, String> {
        let url = format!("{}{path}", self.management);
        let request = ureq::http::Request::builder().method(method).uri(url);
        let request = request.header("content-type", "application/json");
        let request = request.body(body).map_err(|error| error.to_string())?;
        let mut response = agent().run(request).map_err(|error| error.to_string())?;
        let text = response.body_mut().read_to_string().unwrap_or_default();
        match response.status().as_u16() {
            200..=299 => Ok(Some(serde_json::from_str(&text).unwrap_or(Value::Null))),
            404 => Ok(None),
            status => Err(format!("{status} {text}")),
        }
    }
}

fn agent() -> &'static ureq::Agent {
    static AGENT: OnceLock<ureq::Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(60)));
        config.build().into()
    })
}

/// A vhost of its own, with a connection to it; deleted when dropped.
#[derive(Debug)]
pub(crate) struct Vhost {
    name: String,
    /// The test's own connection.
    pub(crate) client: Client,
}

impl Vhost {
    /// Makes a vhost. `name` is the name of the test, for whoever looks at the broker meanwhile.
    pub(crate) fn fresh(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let name = format!("test-{name}-{}-{since}-{number}", std::process::id());
        let broker = broker();
        let user = broker.amqp.split(['/', ':']).nth(3).expect("a user in the AMQP URL");
        let everything = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        broker.call("PUT", &format!("/api/vhosts/{name}"), Some(&json!({})));
        broker.call("PUT", &format!("/api/permissions/{name}/{user}"), Some(&everything));
        let client = Client::open(&format!("{}/{name}", broker.amqp));
        Self { name, client }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Imports definitions by the management API.
    pub(crate) fn import(&self, definitions: &str) {
        broker().send("POST", "/api/definitions", definitions.to_owned());
    }

    /// All exchanges, queues and bindings, as definitions; without what the broker itself adds.
    pub(crate) fn topology(&self) -> Value {
        let columns = [
            ("exchanges", "name,type,durable,auto_delete,internal,arguments"),
            ("queues", "name,durable,auto_delete,arguments"),
            ("bindings", "source,destination,destination_type,routing_key,arguments"),
        ];
        let all = columns.map(|(kind, columns)| {
            let path = format!("/api/{kind}/{}?disable_stats=true&columns={columns}", self.name);
            let mut list = broker().call("GET", &path, None).unwrap_or_default();
            if let Some(list) = list.as_array_mut() {
                list.sort_by_key(Value::to_string);
            }
            (kind.to_owned(), list)
        });
        Value::Object(all.into_iter().collect())
    }

    /// The AMQP URL of this vhost.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", broker().amqp, self.name)
    }

    /// The AMQP URL of this vhost, by way of another port.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let (_, after) =
            self.url().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a URL");
        let (user, _) = after.split_once('@').expect("a user");
        format!("amqp://{user}@127.0.0.1:{port}/{}", self.name)
    }

    /// Host and port of the broker.
    pub(crate) fn address() -> &'static str {
        broker().amqp.rsplit('@').next().expect("an address")
    }

    /// Names of all queues.
    pub(crate) fn queues(&self) -> Vec<String> {
        let path = format!("/api/queues/{}?disable_stats=true&columns=name", self.name);
        let queues = broker().call("GET", &path, None).unwrap_or_default();
        let names = queues.as_array().into_iter().flatten();
        names.filter_map(|queue| Some(queue["name"].as_str()?.to_owned())).collect()
    }

    /// Every queue that has messages ready, with their number. What a consumer holds is not counted: stop it first.
    pub(crate) fn leftovers(&self) -> BTreeMap<String, u32> {
        let counts = self.queues().into_iter().map(|queue| {
            let count = self.client.ready(&queue);
            (queue, count)
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// What the management API says of a queue; its counts lag by some seconds.
    pub(crate) fn queue(&self, queue: &str) -> Value {
        let path = format!("/api/queues/{}/{queue}", self.name);
        broker().call("GET", &path, None).unwrap_or_else(|| panic!("there is no queue `{queue}`"))
    }

    /// Waits until `count` messages of a queue are handed out and not settled.
    pub(crate) fn until_unacked(&self, queue: &str, count: u64) {
        eventually(&format!("{count} unacked messages in `{queue}`"), SOON, || {
            let unacked = self.queue(queue)["messages_unacknowledged"].as_u64();
            (unacked == Some(count)).then_some(())
        });
    }

    /// Waits until `count` messages of a queue have been acknowledged, in all.
    pub(crate) fn until_acked(&self, queue: &str, count: u64) {
        eventually(&format!("{count} acknowledged messages in `{queue}`"), SOON, || {
            let acked = self.queue(queue)["message_stats"]["ack"].as_u64();
            (acked >= Some(count)).then_some(())
        });
    }

    /// Deletes a queue and declares it with other arguments.
    pub(crate) fn declare_otherwise(&self, queue: &str, change: impl Fn(&mut Map<String, Value>)) {
        let mut arguments = self.queue(queue)["arguments"].as_object().cloned().unwrap_or_default();
        change(&mut arguments);
        self.client.delete_queue(queue);
        self.declare(queue, &Value::Object(arguments));
    }

    /// Declares a durable queue with just these arguments.
    pub(crate) fn declare(&self, queue: &str, arguments: &Value) {
        let queue = format!("/api/queues/{}/{queue}", self.name);
        broker().call("PUT", &queue, Some(&json!({ "durable": true, "arguments": arguments })));
    }

    /// The definitions of this vhost, as the broker exports them.
    pub(crate) fn definitions(&self) -> Value {
        broker().call("GET", &format!("/api/definitions/{}", self.name), None).expect("definitions")
    }

    /// Everything of one kind in the vhost, as the management API lists it: `exchanges`, `queues` or `bindings`.
    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        let list = broker().call("GET", &format!("/api/{kind}/{}", self.name), None);
        list.and_then(|list| list.as_array().cloned()).unwrap_or_default()
    }

    /// Sets a policy of the operator's on all queues whose name matches.
    pub(crate) fn set_policy(&self, name: &str, pattern: &str, definition: &Value) {
        let policy = json!({ "pattern": pattern, "definition": definition, "apply-to": "queues" });
        broker().call("PUT", &format!("/api/policies/{}/{name}", self.name), Some(&policy));
    }

    /// Declares anything that the management API can, such as `exchanges`.
    pub(crate) fn put(&self, kind: &str, name: &str, properties: &Value) {
        let name = warren::plan::encoded(name);
        broker().call("PUT", &format!("/api/{kind}/{}/{name}", self.name), Some(properties));
    }

    /// What the management API says of an exchange; none if there is none.
    pub(crate) fn exchange(&self, exchange: &str) -> Option<Value> {
        broker().call("GET", &format!("/api/exchanges/{}/{exchange}", self.name), None)
    }

    /// Publishes a message with one header, an array in an array and so on. Through the management API, because our own
    /// client cannot make it.
    pub(crate) fn publish_nested_header(&self, exchange: &str, key: &str, depth: usize) {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = format!(
            "{{\"properties\":{{\"message_id\":\"nested\",\"headers\":{{\"h\":{nested}}}}},\
             \"routing_key\":\"{key}\",\"payload\":\"{{}}\",\"payload_encoding\":\"string\"}}"
        );
        let path = format!("/api/exchanges/{}/{exchange}/publish", self.name);
        let published = broker().send("POST", &path, body);
        assert_eq!(published, Some(json!({ "routed": true })));
    }

    /// Makes a user who may do everything in the vhost.
    pub(crate) fn add_user(&self, user: &str, password: &str) {
        self.set_password(user, password);
        self.permit(user);
    }

    pub(crate) fn set_password(&self, user: &str, password: &str) {
        let user = format!("/api/users/{}", warren::plan::encoded(user));
        broker().call("PUT", &user, Some(&json!({ "password": password, "tags": "" })));
    }

    /// Allows a user everything in the vhost.
    pub(crate) fn permit(&self, user: &str) {
        let everything = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        broker().call("PUT", &self.permissions_of(user), Some(&everything));
    }

    /// Allows a user everything in the vhost but to publish to this exchange.
    pub(crate) fn forbid_publishing_to(&self, exchange: &str, user: &str) {
        let but_that = format!("^(?!{exchange}$)");
        let permissions = json!({ "configure": ".*", "write": but_that, "read": ".*" });
        broker().call("PUT", &self.permissions_of(user), Some(&permissions));
    }

    /// Allows a user nothing in the vhost.
    pub(crate) fn forbid(&self, user: &str) {
        broker().call("DELETE", &self.permissions_of(user), None);
    }

    fn permissions_of(&self, user: &str) -> String {
        format!("/api/permissions/{}/{}", self.name, warren::plan::encoded(user))
    }

    pub(crate) fn delete_user(user: &str) {
        broker().call("DELETE", &format!("/api/users/{}", warren::plan::encoded(user)), None);
    }

    /// Has the broker close a connection, by the beginning of its name.
    pub(crate) fn close_connection(&self, name: &str) {
        let path = format!("/api/vhosts/{}/connections", self.name);
        let named = |connection: &&Value| {
            let found = connection["client_properties"]["connection_name"].as_str();
            found.is_some_and(|found| found.starts_with(name))
        };
        // The list lags.
        eventually(&format!("connection `{name}` can be closed"), SOON, || {
            let connections = broker().call("GET", &path, None)?;
            let id = connections.as_array()?.iter().find(named)?["name"].as_str()?;
            let id = id.replace(' ', "%20").replace('>', "%3E");
            broker().call("DELETE", &format!("/api/connections/{id}"), None)
        });
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        self.client.close();
        // A test that has failed has more to say than that this has failed, too.
        let deleted = broker().try_send("DELETE", &format!("/api/vhosts/{}", self.name), String::new());
        if let Err(error) = deleted {
            eprintln!("the vhost {} is left behind: {error}", self.name);
        }
    }
}
