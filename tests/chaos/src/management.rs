//! The broker's management API, on whichever node answers.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::nodes::Broker;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The management API, with a vhost of the scenario's own.
#[derive(Debug)]
pub(crate) struct Management {
    agent: ureq::Agent,
    urls: Vec<String>,
    vhost: String,
}

impl Management {
    pub(crate) fn new(broker: &Broker, vhost: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(TIMEOUT));
        let with_user = |url: &str| url.replacen("http://", "http://guest:guest@", 1);
        let urls = broker.nodes.iter().map(|node| with_user(&node.management)).collect();
        Self { agent: config.build().into(), urls, vhost: vhost.to_owned() }
    }

    /// Calls it. None: there is no such thing.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Option<Value>> {
        let mut trouble = None;
        for url in &self.urls {
            let request = ureq::http::Request::builder().method(method).uri(format!("{url}{path}"));
            let request = request.header("content-type", "application/json");
            let request = request.body(body.map(Value::to_string).unwrap_or_default())?;
            match self.agent.run(request) {
                Ok(mut response) => {
                    let text = response.body_mut().read_to_string().unwrap_or_default();
                    return match response.status().as_u16() {
                        200..=299 => Ok(Some(serde_json::from_str(&text).unwrap_or(Value::Null))),
                        404 => Ok(None),
                        status => bail!("{method} {path}: {status} {text}"),
                    };
                }
                Err(error) => trouble = Some(error),
            }
        }
        let trouble = trouble.map_or_else(|| "there is no node".to_owned(), |error| error.to_string());
        bail!("{method} {path}: {trouble}")
    }

    /// Makes the vhost.
    pub(crate) fn create_vhost(&self) -> Result<()> {
        let everything = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        self.call("PUT", &format!("/api/vhosts/{}", self.vhost), Some(&json!({})))?;
        self.call("PUT", &format!("/api/permissions/{}/guest", self.vhost), Some(&everything))?;
        Ok(())
    }

    /// Deletes the vhost with everything in it, and its user if there is one.
    pub(crate) fn delete_vhost(&self) -> Result<()> {
        self.call("DELETE", &format!("/api/users/{}", self.vhost), None)?;
        self.call("DELETE", &format!("/api/vhosts/{}", self.vhost), None).map(drop)
    }

    /// Every queue of the vhost with all its messages: ready, handed out, and waiting to be dead-lettered. Up to two
    /// seconds old.
    pub(crate) fn messages(&self) -> Result<BTreeMap<String, u64>> {
        let queues = self.queues()?;
        Ok(queues.into_iter().map(|(name, queue)| (name, queue["messages"].as_u64().unwrap_or(0))).collect())
    }

    /// Everything about every queue of the vhost.
    pub(crate) fn queues(&self) -> Result<BTreeMap<String, Value>> {
        let list =
            self.call("GET", &format!("/api/queues/{}", self.vhost), None)?.context("there is no vhost")?;
        let queues = list.as_array().context("no list of queues")?;
        Ok(queues
            .iter()
            .filter_map(|queue| Some((queue["name"].as_str()?.to_owned(), queue.clone())))
            .collect())
    }

    /// Deletes a queue. None: there is none.
    pub(crate) fn delete_queue(&self, queue: &str) -> Result<Option<Value>> {
        self.call("DELETE", &format!("/api/queues/{}/{queue}", self.vhost), None)
    }

    /// Sets a policy on the queues whose names match a pattern, as operators do.
    pub(crate) fn set_policy(&self, name: &str, pattern: &str, definition: &Value) -> Result<()> {
        let policy = json!({ "pattern": pattern, "apply-to": "queues", "definition": definition });
        self.call("PUT", &format!("/api/policies/{}/{name}", self.vhost), Some(&policy)).map(drop)
    }

    /// Takes a policy away.
    pub(crate) fn clear_policy(&self, name: &str) -> Result<()> {
        self.call("DELETE", &format!("/api/policies/{}/{name}", self.vhost), None)?
            .context("no such policy")?;
        Ok(())
    }

    /// Binds a queue to a direct exchange.
    pub(crate) fn bind(&self, exchange: &str, queue: &str, key: &str) -> Result<()> {
        let path = format!("/api/bindings/{}/e/{exchange}/q/{queue}", self.vhost);
        self.call("POST", &path, Some(&json!({ "routing_key": key })))?.context("nothing to bind")?;
        Ok(())
    }

    /// Takes such a binding away.
    pub(crate) fn unbind(&self, exchange: &str, queue: &str, key: &str) -> Result<()> {
        let path = format!("/api/bindings/{}/e/{exchange}/q/{queue}/{key}", self.vhost);
        self.call("DELETE", &path, None)?.context("there is no such binding")?;
        Ok(())
    }

    /// Makes a user of the vhost's name, or gives it another password. It goes with the vhost.
    pub(crate) fn set_password(&self, password: &str) -> Result<()> {
        let body = json!({ "password": password, "tags": "" });
        self.call("PUT", &format!("/api/users/{}", self.vhost), Some(&body)).map(drop)
    }

    /// What that user may write to in the vhost; all else it may. Channels remember what was so.
    pub(crate) fn permit(&self, write: &str) -> Result<()> {
        let body = json!({ "configure": ".*", "write": write, "read": ".*" });
        self.call("PUT", &format!("/api/permissions/{0}/{0}", self.vhost), Some(&body)).map(drop)
    }

    /// Closes the vhost to that user.
    pub(crate) fn forbid(&self) -> Result<()> {
        let path = format!("/api/permissions/{0}/{0}", self.vhost);
        self.call("DELETE", &path, None)?.context("the user may do nothing already")?;
        Ok(())
    }

    /// The prefetch counts of a queue's consumers.
    pub(crate) fn consumers(&self, queue: &str) -> Result<Vec<u64>> {
        let path = format!("/api/queues/{}/{queue}", self.vhost);
        let queue = self.call("GET", &path, None)?.context("there is no such queue")?;
        let consumers = queue["consumer_details"].as_array().context("no list of consumers")?;
        Ok(consumers.iter().filter_map(|consumer| consumer["prefetch_count"].as_u64()).collect())
    }

    /// The node that leads a quorum queue.
    pub(crate) fn leader(&self, queue: &str) -> Result<String> {
        let queues = self.queues()?;
        let queue = queues.get(queue).context("there is no such queue")?;
        Ok(queue["leader"].as_str().context("the queue has no leader")?.to_owned())
    }

    /// Queues that not all of their members are online of.
    pub(crate) fn incomplete(&self) -> Result<Vec<String>> {
        let queues = self.queues()?;
        let count = |queue: &Value, key: &str| queue[key].as_array().map_or(0, Vec::len);
        let incomplete = queues.iter().filter(|(_, queue)| count(queue, "online") < count(queue, "members"));
        Ok(incomplete.map(|(name, _)| name.clone()).collect())
    }

    /// Connections of the vhost, by the name that the client gave them, with the broker's own name for each.
    pub(crate) fn connections(&self) -> Result<Vec<(String, String)>> {
        let path = format!("/api/vhosts/{}/connections", self.vhost);
        let list = self.call("GET", &path, None)?.context("there is no vhost")?;
        let connections = list.as_array().context("no list of connections")?;
        let named = connections.iter().filter_map(|connection| {
            let given = connection["client_properties"]["connection_name"].as_str()?;
            Some((given.to_owned(), connection["name"].as_str()?.to_owned()))
        });
        Ok(named.collect())
    }

    /// Has the broker close every connection whose given name begins like this; how many.
    pub(crate) fn close_connections(&self, name: &str) -> Result<usize> {
        let mut closed = 0;
        for (given, id) in self.connections()? {
            if given.starts_with(name) {
                let id = id.replace(' ', "%20").replace('>', "%3E");
                closed +=
                    usize::from(self.call("DELETE", &format!("/api/connections/{id}"), None)?.is_some());
            }
        }
        Ok(closed)
    }
}
