//! A daemon in memory: says what [`crate::sample`] holds, misbehaves on request.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use starling::api::{
    ApiError, Applied, BfdSession, ChangeQuery, ConfigFile, Diagnosis, EventQuery, FibAudit,
    FibCoupling, FibEntry, FibQuery, Generation, Interface, InterfaceQuery, LogFilter, MeshRow,
    Neighbor, Network, NetworkChange, NetworkLine, Nexthop, NexthopQuery, Node, PeerSummary, Plan,
    Pod, Policy, PolicyQuery, PolicyTest, Proposal, Ready, ReloadResult, Route, RouteQuery,
    SentState, Steer, Summary, Terms, Why, WhyQuery, Wish,
};
use starling::daemon::broadcast::Broadcast;
use starling::daemon::control::mrt::{Pieces, pieces};
use starling::daemon::control::rows::{CHUNK, in_memory, rows};
use starling::daemon::control::{Backend, Form, Listening, Refusal, Rows};
use starling_fib::types::Coupling;

use crate::sample;

#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Arc<Behaviour>);

#[derive(Default)]
pub(crate) struct Behaviour {
    /// Rows that `routes` makes up, instead of the sample's.
    pub(crate) made_up: AtomicU64,
    /// Rows that were handed over so far.
    pub(crate) produced: AtomicU64,
    /// The producer of a table saw its reader go away.
    pub(crate) abandoned: AtomicBool,
    /// The table stops half-way with an error.
    pub(crate) breaks: AtomicBool,
    /// The configuration file has errors.
    pub(crate) bad_file: AtomicBool,
    /// What an operator added.
    pub(crate) added: Mutex<Vec<NetworkLine>>,
    /// Routes of before the start are still there.
    pub(crate) recovering: AtomicBool,
    /// Where the configuration is.
    pub(crate) file: Mutex<Option<PathBuf>>,
    /// How long what was applied may wait to be confirmed.
    pub(crate) unconfirmed: Mutex<Option<u64>>,
    /// Why the last change was made.
    pub(crate) reason: Mutex<String>,
    /// What is logged.
    pub(crate) logged: Mutex<String>,
    /// What happens.
    pub(crate) broadcast: Broadcast,
    /// An actor is stuck.
    pub(crate) stuck: AtomicBool,
}

impl Memory {
    /// The configuration's file is to say this.
    fn with_file(&self, applied: Applied) -> Applied {
        let file = |path| ConfigFile { path, text: "as it was".to_owned() };
        Applied {
            files: self.0.file.lock().unwrap().clone().map(file).into_iter().collect(),
            ..applied
        }
    }
}

impl Backend for Memory {
    fn node(&self) -> String {
        sample::summary().node
    }

    async fn events(&self, query: EventQuery) -> Result<Listening, Refusal> {
        for peer in &query.peers {
            self.neighbor(peer).await?;
        }
        let none = || Refusal::unavailable(ApiError::new("too many listen"));
        self.0.broadcast.listen(query).ok_or_else(none)
    }

    async fn summary(&self) -> Result<Summary, Refusal> {
        let recovering = self.0.recovering.load(Ordering::SeqCst);
        let summary = sample::summary();
        let file = self.0.file.lock().unwrap().clone();
        let config_file = file.unwrap_or(summary.config_file);
        Ok(Summary { recovering, config_file, ..summary })
    }

    async fn bfd(&self) -> Result<Vec<BfdSession>, Refusal> {
        Ok(sample::bfd())
    }

    async fn neighbors(&self) -> Result<Vec<Neighbor>, Refusal> {
        Ok(sample::neighbors())
    }

    async fn neighbor(&self, name: &str) -> Result<Neighbor, Refusal> {
        let found = sample::neighbors()
            .into_iter()
            .find(|n| n.summary.name == name || n.summary.address.to_string() == name);
        found.ok_or_else(|| {
            Refusal::not_found(
                ApiError::new(format!("there is no neighbour `{name}`"))
                    .hint("known are server2 and gw0"),
            )
        })
    }

    async fn steer(&self, name: &str, to: Steer) -> Result<Neighbor, Refusal> {
        let neighbor = self.neighbor(name).await?;
        let (held, reason) = match to {
            Steer::Drain { on } => return Ok(Neighbor { draining: on, ..neighbor }),
            Steer::Down { reason } => (true, Some(format!("held down: {reason}"))),
            Steer::Up => (false, None),
            Steer::Clear { reason } if !reason.is_empty() => {
                (false, Some(format!("administrative reset: {reason}")))
            }
            Steer::Refresh | Steer::Resend | Steer::Clear { .. } => return Ok(neighbor),
        };
        Ok(Neighbor { held, summary: PeerSummary { reason, ..neighbor.summary }, ..neighbor })
    }

    async fn networks(&self) -> Result<Vec<Network>, Refusal> {
        let mut networks = sample::networks();
        networks.extend(self.0.added.lock().unwrap().iter().map(|line| Network {
            prefix: line.prefix,
            wish: Wish::Operator,
            announced: true,
            blackhole: false,
            attributes: line.attributes.clone(),
        }));
        Ok(networks)
    }

    async fn change_networks(&self, change: NetworkChange) -> Result<Vec<Network>, Refusal> {
        {
            let mut added = self.0.added.lock().unwrap();
            match change {
                NetworkChange::Add(lines) => added.extend(lines),
                NetworkChange::Delete(gone) => {
                    let had: Vec<IpNet> = added.iter().map(|line| line.prefix).collect();
                    if gone.iter().any(|prefix| !had.contains(prefix)) {
                        let error = ApiError::new("was not added by an operator");
                        return Err(Refusal::not_found(error));
                    }
                    added.retain(|line| !gone.contains(&line.prefix));
                }
                NetworkChange::Flush => added.clear(),
            }
        }
        self.networks().await
    }

    async fn routes(&self, query: RouteQuery) -> Result<Rows<Route>, Refusal> {
        if query.from.as_deref() == Some("nobody") {
            return Err(Refusal::not_found(ApiError::new("there is no neighbour `nobody`")));
        }
        if query.to.as_deref() == Some("gw0") {
            // As the daemon: a question about one destination is answered with what is withheld.
            let is_wanted = |route: &Route| {
                let sent = route.paths[0].sent.as_ref().unwrap();
                query.is_of_one() || query.withheld == (sent.state == SentState::Withheld)
            };
            return Ok(in_memory(sample::advertised().into_iter().filter(is_wanted).collect()));
        }
        if query.to.is_some() {
            return Err(Refusal::conflict(ApiError::new("the session is not up")));
        }
        let made_up = self.0.made_up.load(Ordering::SeqCst);
        if made_up == 0 {
            return Ok(in_memory(if query.detail { sample::detailed() } else { sample::routes() }));
        }
        let (sender, rows) = rows();
        let behaviour = Arc::clone(&self.0);
        tokio::spawn(async move {
            let template = sample::routes().remove(1);
            let mut made = 0;
            while made < made_up {
                let until = made_up.min(made + CHUNK as u64);
                let chunk = (made..until)
                    .map(|i| {
                        let address = std::net::Ipv4Addr::from(0x0a00_0000 + i as u32);
                        let prefix = ipnet::IpNet::new(address.into(), 32).unwrap();
                        Route { prefix, ..template.clone() }
                    })
                    .collect();
                if sender.send(Ok(chunk)).await.is_err() {
                    behaviour.abandoned.store(true, Ordering::SeqCst);
                    return;
                }
                behaviour.produced.fetch_add(until - made, Ordering::SeqCst);
                made = until;
            }
            if behaviour.breaks.load(Ordering::SeqCst) {
                let _ = sender.send(Err(ApiError::new("the daemon is stopping"))).await;
            }
        });
        Ok(rows)
    }

    async fn mrt(&self) -> Result<Pieces, Refusal> {
        let (sender, octets) = pieces();
        // A record in two pieces, and one that is told to come.
        let record = [&[0, 0, 0, 1, 0, 13, 0, 2, 0, 0, 0, 4][..], b"mrt!"].concat();
        let (one, other) = record.split_at(7);
        for piece in [one, other] {
            let _ = sender.try_send(Ok(piece.to_vec().into()));
        }
        if self.0.breaks.load(Ordering::SeqCst) {
            let _ = sender.try_send(Err(ApiError::new("the daemon is stopping")));
        }
        Ok(octets)
    }

    async fn nodes(&self) -> Result<Vec<Node>, Refusal> {
        Ok(sample::nodes())
    }

    async fn mesh(&self, ask: bool) -> Result<Vec<MeshRow>, Refusal> {
        Ok(if ask { sample::mesh() } else { sample::mesh()[..1].to_vec() })
    }

    async fn memory(&self) -> Result<starling::api::Memory, Refusal> {
        Ok(sample::memory())
    }

    async fn nexthops(&self, query: NexthopQuery) -> Result<Vec<Nexthop>, Refusal> {
        let asked = |hop: &Nexthop| query.address.is_none_or(|address| address == hop.next_hop);
        Ok(sample::nexthops().into_iter().filter(asked).collect())
    }

    async fn interfaces(&self, query: InterfaceQuery) -> Result<Vec<Interface>, Refusal> {
        let asked = |one: &Interface| query.name.as_ref().is_none_or(|name| *name == one.name);
        let found: Vec<Interface> = sample::interfaces().into_iter().filter(asked).collect();
        match found.is_empty() {
            true => Err(Refusal::not_found(ApiError::new("this node has no such interface"))),
            false => Ok(found),
        }
    }

    async fn fib(&self, query: FibQuery) -> Result<Rows<FibEntry>, Refusal> {
        let asked = |entry: &FibEntry| query.covers(&entry.prefix) && query.takes(entry);
        Ok(in_memory(sample::fib().into_iter().filter(asked).collect()))
    }

    async fn couple(&self, to: Coupling) -> Result<FibCoupling, Refusal> {
        Ok(sample::coupling(to))
    }

    async fn why(&self, query: WhyQuery) -> Result<Why, Refusal> {
        let asked = query.target.to_string();
        let found = crate::why::samples().into_iter().find(|why| why.target == asked);
        let none = || Refusal::bad_request(ApiError::new("no sample has this address"));
        let why = found.ok_or_else(none)?;
        Ok(Why { back: why.back.filter(|_| query.both), ..why })
    }

    async fn audit(&self) -> Result<FibAudit, Refusal> {
        Ok(sample::audit())
    }

    async fn doctor(&self, _: bool) -> Result<Diagnosis, Refusal> {
        Ok(sample::diagnosis())
    }

    async fn pods(&self) -> Result<Rows<Pod>, Refusal> {
        Ok(in_memory(sample::pods()))
    }

    async fn policies(&self) -> Result<Vec<Policy>, Refusal> {
        Ok(sample::policies())
    }

    async fn policy_test(&self, query: PolicyQuery) -> Result<Vec<PolicyTest>, Refusal> {
        let place = |test: &PolicyTest| query.place.is_none_or(|place| place == test.place);
        Ok(sample::policy_tests().into_iter().filter(place).collect())
    }

    fn log(&self) -> LogFilter {
        LogFilter { filter: self.0.logged.lock().unwrap().clone() }
    }

    fn set_log(&self, filter: &str) -> Result<LogFilter, Refusal> {
        if filter.contains("nonsense") {
            let error = ApiError::new("\"nonsense=loud\": invalid filter directive");
            return Err(Refusal::bad_request(error));
        }
        filter.clone_into(&mut self.0.logged.lock().unwrap());
        Ok(Backend::log(self))
    }

    async fn plan(&self, proposal: Proposal) -> Result<Plan, Refusal> {
        Ok(sample::plan(&proposal.text))
    }

    async fn apply(&self, proposal: Proposal, terms: Terms) -> Result<Applied, Refusal> {
        *self.0.reason.lock().unwrap() = proposal.reason;
        let applied = sample::applied(&proposal.text, terms);
        *self.0.unconfirmed.lock().unwrap() = applied.confirm_s;
        Ok(applied)
    }

    async fn confirm(&self, dry: bool) -> Result<Applied, Refusal> {
        let mut unconfirmed = self.0.unconfirmed.lock().unwrap();
        let waits = if dry { *unconfirmed } else { unconfirmed.take() };
        match waits {
            Some(_) => Ok(self.with_file(sample::applied("same", Terms::default()))),
            None => Err(Refusal::conflict(ApiError::new("no change waits to be confirmed"))),
        }
    }

    async fn rollback(&self, query: ChangeQuery) -> Result<Applied, Refusal> {
        *self.0.reason.lock().unwrap() = query.reason.unwrap_or_default();
        match query.to {
            Some(99) => Err(Refusal::not_found(ApiError::new("there is no such configuration"))),
            _ => Ok(self.with_file(sample::applied("", query.terms))),
        }
    }

    fn generations(&self) -> Vec<Generation> {
        sample::generations()
    }

    async fn reload(&self, reason: String) -> Result<ReloadResult, Refusal> {
        *self.0.reason.lock().unwrap() = reason;
        let bad = self.0.bad_file.load(Ordering::SeqCst);
        let (changes, errors) = if bad {
            (Vec::new(), vec!["cluster.toml:7:8: unknown mode".to_owned()])
        } else {
            (vec!["pool 10.244.0.0/16: ipip never, now cross-subnet".to_owned()], Vec::new())
        };
        Ok(ReloadResult { ok: !bad, generation: 3 + u64::from(!bad), changes, errors })
    }

    async fn ready(&self) -> Result<Ready, Refusal> {
        Ok(sample::summary().ready)
    }

    async fn live(&self) -> Result<(), Refusal> {
        if self.0.stuck.load(Ordering::SeqCst) {
            return Err(Refusal::unavailable(ApiError::new("the RIB has not answered for 30 s")));
        }
        Ok(())
    }

    async fn metrics(&self, form: Form) -> Result<String, Refusal> {
        Ok(format!("{form:?}\n"))
    }
}
