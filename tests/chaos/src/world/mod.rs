//! What a scenario has in its hands: a broker, a vhost and a folder of its own, hosts, proxies, a load, and the accounting
//! at the end (`accounts`).

mod accounts;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::check::Verdict;
use crate::contract::Contract;
use crate::evidence::{Dead, Echo, Evidence, Fault, Victim, read_ends};
use crate::host::{Host, Start};
use crate::load::{Load, Plan, message_id};
use crate::management::Management;
use crate::nodes::{Broker, Node, root};
use crate::proxy::Proxy;
use crate::scenario::Size;
use crate::wait::{SOON, now_ms, until};

/// How long the queues may keep their messages without any of them coming to an end. The broker itself waits up to 180 s
/// before it tries again to move a message out of a wait queue.
const STALLED: Duration = Duration::from_secs(240);
/// How long a host may take to finish when it is stopped, in seconds.
pub(crate) const GRACE_SECONDS: u64 = 30;

/// The world of one scenario.
#[derive(Debug)]
pub(crate) struct World {
    /// How much of it.
    pub(crate) size: Size,
    /// The broker.
    pub(crate) broker: Rc<Broker>,
    /// Its management API.
    pub(crate) management: Management,
    vhost: String,
    folder: PathBuf,
    began: Instant,
    contract: RefCell<Contract>,
    hosts: RefCell<Vec<Arc<Host>>>,
    hosts_at_once: Cell<usize>,
    load: RefCell<Option<Rc<Load>>>,
    faults: RefCell<Vec<Fault>>,
    tasks_decide: Cell<bool>,
    also: Cell<Option<&'static str>>,
    lost_per_fault: Cell<usize>,
    impatient: Cell<bool>,
    harvest: RefCell<(Vec<Echo>, Vec<Dead>)>,
    evidence: RefCell<Evidence>,
    verdict: RefCell<Verdict>,
}

impl World {
    /// Makes a vhost and a folder for a scenario.
    pub(crate) fn new(name: &str, broker: &Rc<Broker>, size: Size) -> Result<Self> {
        let unique = format!("{name}-{}-{}", broker.on, now_ms());
        let folder = root().join(".warren/chaos").join(&unique);
        fs::create_dir_all(&folder).with_context(|| format!("no folder {}", folder.display()))?;
        let management = Management::new(broker, &unique);
        management.create_vhost()?;
        let world = Self {
            size,
            broker: Rc::clone(broker),
            management,
            vhost: unique,
            folder,
            began: Instant::now(),
            contract: RefCell::default(),
            hosts: RefCell::default(),
            hosts_at_once: Cell::new(1),
            load: RefCell::default(),
            faults: RefCell::default(),
            tasks_decide: Cell::new(true),
            also: Cell::default(),
            lost_per_fault: Cell::default(),
            impatient: Cell::default(),
            harvest: RefCell::default(),
            evidence: RefCell::default(),
            verdict: RefCell::default(),
        };
        world.write_contract(&Contract::default())?;
        let behaviours = root().join("target/behaviours");
        std::os::unix::fs::symlink(&behaviours, world.folder.join("handlers"))?;
        Ok(world)
    }

    /// The contract of the hosts that are started from now on, in place of the default.
    pub(crate) fn write_contract(&self, contract: &Contract) -> Result<()> {
        fs::write(self.folder.join("contract.yaml"), contract.to_string())?;
        *self.contract.borrow_mut() = contract.clone();
        Ok(())
    }

    /// The scenario's folder: contract and logs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The node of a broker that has one; of three, the first.
    pub(crate) fn node(&self) -> &Node {
        self.broker.node()
    }

    /// AMQP URL of the vhost, by way of this host and port.
    pub(crate) fn url(&self, address: &str) -> String {
        format!("amqp://guest:guest@{address}/{}", self.vhost)
    }

    /// AMQP URL of the vhost at the first node.
    pub(crate) fn direct(&self) -> String {
        self.url(&self.node().address)
    }

    /// AMQP URLs of the vhost at every node.
    pub(crate) fn url_of_all(&self) -> String {
        let urls: Vec<String> = self.broker.nodes.iter().map(|node| self.url(&node.address)).collect();
        urls.join(",")
    }

    /// Id of a message of the load, by its number.
    pub(crate) fn message_id(&self, number: usize) -> String {
        message_id("m", number)
    }

    /// A proxy to the first node.
    pub(crate) fn proxy(&self) -> Result<Proxy> {
        Proxy::start(&self.node().address)
    }

    /// Starts a host that talks through this proxy, and waits until it is ready.
    pub(crate) fn host_by(&self, proxy: &Proxy) -> Result<Arc<Host>> {
        self.host_at(&self.url(&proxy.address()))
    }

    /// Starts a host that talks to the first node, and waits until it is ready.
    pub(crate) fn host(&self) -> Result<Arc<Host>> {
        self.host_at(&self.direct())
    }

    /// Starts a host that talks to this URL, and waits until it is ready.
    pub(crate) fn host_at(&self, url: &str) -> Result<Arc<Host>> {
        let host =
            self.launch(&Start { url: url.to_owned(), grace_seconds: GRACE_SECONDS, ..Start::default() })?;
        host.until_ready(1)?;
        Ok(host)
    }

    /// Starts a host, and does not wait for anything.
    pub(crate) fn launch(&self, start: &Start) -> Result<Arc<Host>> {
        let mut hosts = self.hosts.borrow_mut();
        let host = Arc::new(Host::start(&self.folder, &format!("host-{}.log", hosts.len() + 1), start)?);
        hosts.push(Arc::clone(&host));
        Ok(host)
    }

    /// So many hosts run at once: so much more can be in flight.
    pub(crate) fn hosts_at_once(&self, hosts: usize) {
        self.hosts_at_once.set(hosts);
    }

    /// Dead letters may also have this class: the broker's own reason, such as `rejected`, or `redelivered`.
    pub(crate) fn dead_may_be(&self, class: &'static str) {
        self.also.set(Some(class));
    }

    /// Each fault may lose so many messages, because the consumer asks for that.
    pub(crate) fn may_lose(&self, per_fault: usize) {
        self.lost_per_fault.set(per_fault);
    }

    /// Has the broker try again so soon, in seconds, to dead-letter what it could not, in place of after three minutes.
    /// For queues that are made from now on, until the node stops or the next scenario begins.
    pub(crate) fn broker_tries_again_after(&self, seconds: u64) -> Result<()> {
        self.broker.set("dead_letter_worker_publisher_confirm_timeout", seconds * 1000)?;
        self.impatient.set(true);
        Ok(())
    }

    /// Makes a user of the scenario's own that may do everything in the vhost; the URL for it.
    pub(crate) fn user(&self, password: &str) -> Result<String> {
        self.management.set_password(password)?;
        self.management.permit(".*")?;
        Ok(self.direct().replacen("guest:guest", &format!("{}:{password}", self.vhost), 1))
    }

    /// Takes what is in the two ends, which are then empty, and keeps it for the accounts.
    pub(crate) fn harvest(&self) -> Result<()> {
        let (echoes, dead) = read_ends(&self.direct())?;
        let mut harvest = self.harvest.borrow_mut();
        harvest.0.extend(echoes);
        harvest.1.extend(dead);
        Ok(())
    }

    /// Starts to publish, to every node in turn. The queues have to be there.
    pub(crate) fn load(&self, plan: Plan) -> Rc<Load> {
        let urls = self.broker.nodes.iter().map(|node| self.url(&node.address)).collect();
        let load = Rc::new(Load::start(urls, "m", plan));
        *self.load.borrow_mut() = Some(Rc::clone(&load));
        load
    }

    /// Does something bad, and undoes it: duplicates are allowed near it.
    pub(crate) fn fault(&self, victim: Victim, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let from_ms = now_ms();
        let began = Instant::now();
        let done = work().with_context(|| format!("fault: {what}"));
        self.note(&format!("{what}; well again after {:.1} s", began.elapsed().as_secs_f64()));
        self.faults.borrow_mut().push(Fault { victim, from_ms, to_ms: now_ms() });
        done
    }

    /// Says what happens, with the second at which it does.
    pub(crate) fn note(&self, what: &str) {
        println!("[{}] {:>4} s: {what}", self.broker.on, self.began.elapsed().as_secs());
    }

    /// A fault that was seen to happen, from and until when, in milliseconds since 1970.
    pub(crate) fn fault_was(&self, victim: Victim, from_ms: u64, to_ms: u64) {
        self.faults.borrow_mut().push(Fault { victim, from_ms, to_ms });
    }

    /// Waits until a handler begins with one more message.
    pub(crate) fn until_more_work(&self) -> Result<()> {
        let before = self.executions();
        until("one more execution", SOON, || Ok((self.executions() > before).then_some(())))
    }

    fn executions(&self) -> usize {
        self.hosts.borrow().iter().map(|host| host.with_log(|log| log.executions.len())).sum()
    }

    /// Waits until every queue has all its members online.
    pub(crate) fn until_complete(&self) -> Result<()> {
        until("every queue has all its members online", SOON, || {
            let incomplete = self.management.incomplete()?;
            if !incomplete.is_empty() {
                bail!("not so: {}", incomplete.join(", "));
            }
            Ok(Some(()))
        })
    }

    /// How many faults there were.
    pub(crate) fn faults(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Waits until handlers have done this part of their work: `part` of `parts`. Faults that are spread over the load
    /// wait for it, so that there is work in flight when they come.
    pub(crate) fn until_worked(&self, part: usize, parts: usize) -> Result<()> {
        let all = self.load.borrow().as_ref().map_or(0, |load| load.executions());
        let enough = all * part / parts;
        until(&format!("{enough} of {all} executions"), STALLED, || {
            let began = self.executions();
            if began < enough {
                bail!("there were {began}");
            }
            Ok(Some(()))
        })
    }

    /// Everything that the accounts were made of, for what a scenario has to say beyond them.
    pub(crate) fn with_evidence<T>(&self, look: impl FnOnce(&Evidence) -> T) -> T {
        look(&self.evidence.borrow())
    }

    /// What the accounts say.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict.borrow().clone()
    }

    /// Messages that were published and confirmed.
    pub(crate) fn confirmed(&self) -> usize {
        self.load.borrow().as_ref().map_or(0, |load| load.confirmed())
    }

    /// The end of the log of each of the last hosts, for whoever has to find out what went wrong.
    pub(crate) fn tails(&self) -> String {
        let hosts = self.hosts.borrow();
        let last = hosts.iter().enumerate().rev().take(self.hosts_at_once.get().max(2));
        let tails = last.map(|(index, host)| {
            format!("  end of host-{}.log:\n{}", index + 1, host.with_log(crate::log::Log::tail))
        });
        tails.collect()
    }

    /// Ends the world: nothing of it runs on. What it leaves behind on disk is kept where `keep` says so.
    pub(crate) fn end(self, keep: bool) -> Result<()> {
        drop(self.load.take());
        drop(self.hosts.take());
        if self.impatient.get() {
            self.broker.set("dead_letter_worker_publisher_confirm_timeout", 180_000)?;
        }
        if !keep {
            self.management.delete_vhost()?;
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }
}
