//! The report for a terminal.

use std::fmt::{self, Display};

use ipnet::IpNet;

use super::{AddressReport, NodeReport, PeerReport, RangeReport, Report, TunnelReport, Way};
use crate::plan::PeerKey;

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { node, asn, router_id, because, .. } = self;
        writeln!(f, "{node}: AS {asn}, BGP identifier {router_id} ({because})")?;
        for address in &self.addresses {
            writeln!(f, "  address   {address}")?;
        }
        writeln!(f, "  blocks    {}", joined(&self.blocks, "none: it announces nothing"))?;
        for pool in &self.pools {
            match pool.cidr {
                IpNet::V4(_) => writeln!(f, "  pool      {}, ipip {}", pool.cidr, pool.ipip)?,
                IpNet::V6(_) => writeln!(f, "  pool      {}, no ipip for IPv6", pool.cidr)?,
            }
        }
        match &self.tunnel {
            Some(tunnel) => writeln!(f, "  tunnel    {tunnel}")?,
            None => writeln!(f, "  tunnel    none: no pool needs it")?,
        }
        let protocol = match self.protocol {
            12 => "bird".to_owned(),
            186 => "bgp".to_owned(),
            number => number.to_string(),
        };
        let table = if self.table == 254 { "main".to_owned() } else { self.table.to_string() };
        write!(f, "  routes    proto {protocol}, table {table}, metric {}", self.metric)?;
        match self.kernel_policy.as_slice() {
            [] => writeln!(f)?,
            names => writeln!(f, ", policy {}", names.join(" "))?,
        }
        let listen = match &self.listen {
            None => "on all addresses".to_owned(),
            Some(listen) if listen.is_empty() => "nowhere, sessions are only dialled".to_owned(),
            Some(listen) => format!("on {}", joined(listen, "")),
        };
        let (port, hold) = (self.port, self.hold);
        writeln!(f, "  bgp       port {port} {listen}, hold {hold}s")?;
        write!(f, "  control   {}", self.control.display())?;
        match &self.readers {
            Some(group) => writeln!(f, ", to look read.sock beside it for the group {group}")?,
            None => writeln!(f)?,
        }
        if !self.http.is_empty() {
            writeln!(f, "  http      {}", joined(&self.http, ""))?;
        }
        self.peer_table(f)?;
        self.node_table(f)?;
        for warning in &self.warnings {
            write!(f, "\n{warning}")?;
        }
        Ok(())
    }
}

impl Report {
    fn peer_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.peers.is_empty() && self.ranges.is_empty() {
            return writeln!(f, "\nno peers");
        }
        let mut rows = vec![row(["PEER", "ADDRESS", "AS", "KIND", "FAMILIES", "IMPORT", "EXPORT"])];
        for peer in &self.peers {
            let key = PeerKey::new(peer.address, peer.interface.as_deref());
            let address = match peer.port {
                179 => key.to_string(),
                port if key.interface.is_some() => format!("{key} port {port}"),
                port => std::net::SocketAddr::new(peer.address, port).to_string(),
            };
            rows.push(peer_row(peer, address, peer.asn.to_string()));
        }
        for RangeReport { range, asns, limit, neighbors } in &self.ranges {
            let range = format!("{range}, at most {limit}");
            rows.push(peer_row(neighbors, range, asns.clone()));
        }
        writeln!(f)?;
        table(f, &rows)
    }

    fn node_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes.is_empty() {
            return Ok(());
        }
        let tunnel = self.tunnel.as_ref().map_or("tunnel", |tunnel| &tunnel.device);
        let mut rows = vec![row(["NODE", "NEXT HOP", "VIA", "WHY"])];
        for node in &self.nodes {
            rows.extend(node_rows(node, tunnel));
        }
        writeln!(f)?;
        table(f, &rows)
    }
}

/// What decides where the rules of these policies do not.
fn after(policies: &[String], default: &str) -> String {
    match policies {
        [] => default.to_owned(),
        names => format!("{}, then {default}", names.join(" ")),
    }
}

fn peer_row(peer: &PeerReport, address: String, asn: String) -> Vec<String> {
    let mut kind = vec![peer.kind];
    kind.extend(peer.passive.then_some("passive"));
    kind.extend(peer.authentication);
    kind.extend(peer.hops.as_deref());
    let mut export = vec![if peer.export == "own" { "own blocks" } else { "all" }];
    export.extend(&peer.export_also);
    vec![
        peer.name.clone(),
        address,
        asn,
        kind.join(", "),
        peer.families.join(" "),
        after(&peer.import_policy, &peer.import_words),
        after(&peer.export_policy, &export.join(", ")),
    ]
}

fn node_rows(node: &NodeReport, tunnel: &str) -> Vec<Vec<String>> {
    if node.ways.is_empty() {
        let address = node.addresses.first().map_or_else(String::new, |a| a.to_string());
        return vec![row([node.name.as_str(), &address, "-", "it has no blocks"])];
    }
    let rows = node.ways.iter().map(|way| {
        vec![
            node.name.clone(),
            way.next_hop.map_or("-".to_owned(), |a| a.to_string()),
            match way.way {
                Way::Direct => "direct",
                Way::Tunnel => tunnel,
                Way::Gateway => "gateway (!)",
                Way::Unknown => "?",
                Way::Never => "-",
            }
            .to_owned(),
            way.why.clone(),
        ]
    });
    rows.collect()
}

impl Display for AddressReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddressReport { address, interface, subnet, configured } = self;
        match interface {
            Some(interface) => write!(f, "{address} on {interface}")?,
            None => write!(f, "{address}, not on this host")?,
        }
        match (subnet, configured) {
            (Some(subnet), true) => write!(f, ", subnet {subnet} as configured")?,
            (Some(subnet), false) => write!(f, ", subnet {subnet}")?,
            (None, _) => write!(f, ", subnet unknown")?,
        }
        match subnet {
            Some(net) if net.prefix_len() == net.max_prefix_len() => {
                write!(f, " (!): no other node is on it")?;
                match configured {
                    true => Ok(()),
                    false => write!(f, "; say address = \"{address}/LENGTH\" if that is wrong"),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Display for TunnelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = &self.device;
        if !self.managed {
            return write!(f, "{device}, managed by somebody else");
        }
        match self.mtu {
            Some(mtu) => write!(f, "{device}, mtu {mtu}")?,
            None => write!(f, "{device}, mtu underlay - 20")?,
        }
        match self.address {
            Some(address) => write!(f, ", address {address}/32"),
            None => write!(f, ", no address of ours"),
        }
    }
}

fn joined<T: Display>(items: &[T], none: &str) -> String {
    let items: Vec<String> = items.iter().map(|item| item.to_string()).collect();
    if items.is_empty() { none.to_owned() } else { items.join(" ") }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Columns as wide as their widest cell; the last one runs free.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max())
        .map(|width| width.unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("  {cell:<width$}"));
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
