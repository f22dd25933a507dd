//! `show protocols`, `show symbols`, `show bfd sessions`: neighbours, in BIRD's columns.
//!
//! Beside the neighbours stand the protocols that every BIRD of a Calico node has, so that who
//! looks for them finds them.

use jiff::Zoned;
use starling_bgp::types::Family;

use super::names::{self, OWN};
use super::reply::Reply;
use super::{Face, when};
use crate::api::{BfdState, FamilyRoutes, Neighbor, PeerKind, SessionState};
use crate::daemon::control::{Backend, Refusal};

const HEADER: &str = "name     proto    table    state  since       info";

/// One line of `show protocols`.
struct Row<'a> {
    name: &'a str,
    kind: &'a str,
    state: &'a str,
    since: &'a str,
    info: &'a str,
}

impl Row<'_> {
    fn text(&self) -> String {
        let Row { name, kind, state, since, info } = self;
        format!("{name:<8} {kind:<8} master   {state:<5}  {since:<10}  {info}")
    }
}

impl<B: Backend> Face<B> {
    pub(super) async fn protocols(
        &self,
        all: bool,
        only: Option<&str>,
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        let neighbors = self.backend.neighbors().await?;
        let summary = self.backend.summary().await?;
        let networks = self.backend.networks().await?;
        let now = Zoned::now();
        let started = when::since(&now, summary.uptime_s);
        let own = networks.iter().filter(|n| n.prefix.addr().is_ipv4() == self.is_v4()).count();
        let fixed = [(OWN, "Static"), ("kernel1", "Kernel"), ("device1", "Device")];
        let wanted = |name: &str| only.is_none_or(|only| only == name);
        let mut found = false;
        for (name, kind) in fixed.into_iter().filter(|(name, _)| wanted(name)) {
            header(&mut found, reply);
            let row = Row { name, kind, state: "up", since: &started, info: "" };
            reply.line(1002, &row.text());
            if all {
                if name == OWN {
                    let routes = format!("{own} imported, 0 exported, {own} preferred");
                    reply.line(1006, &format!("  Routes:         {routes}"));
                }
                reply.line(1006, "");
            }
        }
        for neighbor in neighbors.iter().filter(|n| names::carries(n, self.family)) {
            let name = names::protocol(neighbor, self.family);
            if !wanted(&name) {
                continue;
            }
            header(&mut found, reply);
            reply.line(1002, &row(neighbor, &name, &now));
            if all {
                details(neighbor, self.family, reply);
            }
        }
        match (found, only) {
            (false, Some(name)) => reply.end(8003, &format!("{name}: no such protocol")),
            _ => reply.end(0, ""),
        }
        Ok(())
    }

    pub(super) async fn symbols(&self, reply: &mut Reply) -> Result<(), Refusal> {
        let neighbors = self.backend.neighbors().await?;
        let ours = neighbors.iter().filter(|n| names::carries(n, self.family));
        let ours = ours.map(|n| names::protocol(n, self.family));
        let fixed = [OWN, "kernel1", "device1"].map(str::to_owned);
        for name in fixed.into_iter().chain(ours) {
            reply.line(1010, &format!("{name:<8}\tprotocol"));
        }
        reply.line(1010, "master  \trouting table");
        reply.end(0, "");
        Ok(())
    }

    pub(super) async fn bfd(&self, reply: &mut Reply) -> Result<(), Refusal> {
        let sessions = self.backend.bfd().await?;
        let sessions: Vec<_> =
            sessions.iter().filter(|s| s.address.is_ipv4() == self.is_v4()).collect();
        if sessions.is_empty() {
            reply.end(9001, "There is no BFD protocol running");
            return Ok(());
        }
        let now = Zoned::now();
        reply.line(1020, "bfd1:");
        let columns = ["IP address", "Interface", "State", "Since", "Interval", "Timeout"];
        let [address, interface, state, since, interval, timeout] = columns;
        reply.line(
            1020,
            &format!(
                "{address:<25} {interface:<10} {state:<10} {since:<10}  {interval:>8} {timeout:>8}"
            ),
        );
        for session in sessions {
            let state = match session.state {
                BfdState::NotHeard | BfdState::Down => "Down",
                BfdState::AdminDown => "AdminDown",
                BfdState::Init => "Init",
                BfdState::Up => "Up",
            };
            let since = when::since(&now, session.since_s);
            let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
            let interval = seconds(session.transmit_ms);
            let timeout = seconds(session.detection_ms.unwrap_or_default());
            let address = session.address.to_string();
            reply.line(
                1020,
                &format!(
                    "{address:<25} {:<10} {state:<10} {since:<10}  {interval:>8} {timeout:>8}",
                    "---"
                ),
            );
        }
        reply.end(0, "");
        Ok(())
    }

    pub(super) fn is_v4(&self) -> bool {
        self.family == Family::Ipv4
    }
}

fn header(found: &mut bool, reply: &mut Reply) {
    if !*found {
        reply.line(2002, HEADER);
    }
    *found = true;
}

fn row(neighbor: &Neighbor, name: &str, now: &Zoned) -> String {
    let summary = &neighbor.summary;
    let state = match summary.state {
        SessionState::Established => "up",
        _ if neighbor.held => "down",
        _ => "start",
    };
    let (bgp, since) = (summary.state.to_string(), when::since(now, summary.since_s));
    let why = summary.reason.as_deref().unwrap_or_default();
    let info = format!("{bgp:<14}{why}");
    Row { name, kind: "BGP", state, since: &since, info: &info }.text()
}

fn details(neighbor: &Neighbor, family: Family, reply: &mut Reply) {
    let summary = &neighbor.summary;
    let mut say = |text: String| reply.line(1006, &text);
    say(format!("  Description:    {}", summary.name));
    say("  Preference:     100".to_owned());
    say(format!("  Input filter:   {}", neighbor.import));
    say(format!("  Output filter:  {}", neighbor.export));
    let family = family.to_string();
    if let Some(routes) = neighbor.routes.iter().find(|routes| routes.family == family) {
        let FamilyRoutes { received, accepted, best, sent, .. } = routes;
        let filtered = received.saturating_sub(*accepted);
        say(format!(
            "  Routes:         {accepted} imported, {filtered} filtered, {sent} exported, \
             {best} preferred"
        ));
    }
    let titles = ["received", "rejected", "filtered", "ignored", "accepted"];
    say(format!("  {:<22}{}", "Route change stats:", columns(titles)));
    for what in ["Import updates", "Import withdraws", "Export updates", "Export withdraws"] {
        let title = format!("{what}:");
        say(format!("    {title:<20}{}", columns(["---"; 5])));
    }
    say(format!("  BGP state:          {}", summary.state));
    say(format!("    Neighbor address: {}", summary.place()));
    say(format!("    Neighbor AS:      {}", summary.asn));
    if let Some(agreed) = &neighbor.agreed {
        say(format!("    Neighbor ID:      {}", agreed.router_id));
        let caps = [
            (agreed.route_refresh, "refresh"),
            (agreed.enhanced_refresh, "enhanced-refresh"),
            (agreed.graceful.is_some(), "restart-aware"),
            (agreed.four_octet_as, "AS4"),
            (agreed.add_path_send.contains(&family), "add-path-rx"),
            (agreed.add_path_receive.contains(&family), "add-path-tx"),
            (agreed.extended_messages, "ext-messages"),
        ];
        let caps: Vec<&str> = caps.iter().filter(|(has, _)| *has).map(|(_, cap)| *cap).collect();
        say(format!("    Neighbor caps:    {}", caps.join(" ")));
        let kind = match summary.kind {
            PeerKind::External => "external",
            PeerKind::Mesh | PeerKind::Internal => "internal",
        };
        let as4 = if agreed.four_octet_as { " AS4" } else { "" };
        say(format!("    Session:          {kind}{as4}"));
        if let Some(source) = neighbor.local_address {
            say(format!("    Source address:   {source}"));
        }
        let left = agreed.hold_s.saturating_sub(neighbor.last_received_s.unwrap_or_default());
        say(format!("    Hold timer:       {left}/{}", agreed.hold_s));
    } else if let Some(down) = &neighbor.last_down {
        say(format!("    Last error:       {}", down.text));
    }
    say(String::new());
}

fn columns(words: [&str; 5]) -> String {
    words.map(|word| format!("{word:>10}")).join(" ")
}
