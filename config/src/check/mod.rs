//! From what the files say to a model whose values fit each other.
//!
//! Each part notes everything that is wrong in it and still gives a value to go on with: the
//! model is only handed out if nothing was noted as an error, so a value made up for a broken
//! field is never seen, and one mistake does not hide the next.

mod bfd;
mod blocks;
mod isolation;
mod nodes;
mod peers;
mod pods;
mod policies;
mod pools;
mod reflector;
mod routing;
mod session;
mod settings;
mod transport;

use starling_bgp::types::{Asn, Family};

use crate::model::Config;
use crate::policy::{Names, names};
use crate::raw::Raw;
use crate::source::{At, Problems};
use crate::texts::Texts;

/// Checks what was read. `root` is the number of the first file. What is wrong is noted in
/// `problems`; if an error is, the result is not to be used.
pub(crate) fn check(raw: &Raw, root: usize, problems: &mut Problems) -> Config {
    let whole_file = At::whole(root);
    let missing = |what: &str| !raw.refused.contains(&what);
    let asn = match &raw.cluster {
        Some(cluster) => cluster.asn.value().copied().unwrap_or_default(),
        None => {
            if missing("[cluster]") {
                problems
                    .error(whole_file, "there is no [cluster]")
                    .expected("[cluster] with asn = the AS number of the nodes");
            }
            Asn::default()
        }
    };
    // Reflectors take the mesh's place, unless both are asked for.
    let mesh = raw.cluster.as_ref().and_then(|c| c.mesh.value().copied());
    let mesh = mesh.unwrap_or(raw.reflector.is_none());
    let pools = pools::check(raw, problems);
    let nodes = nodes::check(raw, asn, whole_file, problems);
    blocks::check(raw, &nodes, &pools, problems);
    let reflectors = reflector::check(raw, &nodes, problems);
    let peers = peers::check(raw, &nodes, problems);
    let policies = policies::check(raw, problems);
    transport::keys_overlap(raw, &nodes, &peers, problems);
    transport::keys_of_links(raw, &peers, problems);
    if raw.pools.is_empty() && missing("[[pool]]") {
        problems
            .warn(whole_file, "there is no [[pool]]")
            .expected("[[pool]] with the addresses of the pods")
            .hint("from the mesh only routes inside the pools are accepted: none, as it stands");
    }
    if !mesh && raw.reflector.is_none() && raw.peers.is_empty() {
        let at = raw.cluster.as_ref().and_then(|c| c.mesh.get()).map_or(whole_file, |m| m.at);
        problems
            .warn(at, "the mesh is off and there is no [[peer]]")
            .hint("no node has anybody to exchange routes with");
    }
    if mesh {
        let only = |family: Family, not: Family| {
            nodes.iter().find(|n| n.address(family).is_some() && n.address(not).is_none())
        };
        let v4_only = only(Family::Ipv4, Family::Ipv6);
        if let (Some(v4), Some(v6)) = (v4_only, only(Family::Ipv6, Family::Ipv4)) {
            let message = format!(
                "{} has only an IPv4 address and {} only an IPv6 one: they cannot peer",
                v4.name, v6.name
            );
            problems.warn(whole_file, message).hint("give one of them an address of both families");
        }
    }
    let kernel = settings::kernel(raw, problems);
    let mesh_session = session::mesh(raw, problems);
    Config {
        asn,
        mesh,
        mesh_key: transport::mesh_key(raw),
        isolation: isolation::check(raw, mesh_session.offer.restart.time, problems),
        mesh_session,
        pools,
        nodes,
        peers,
        policies,
        mesh_policies: raw.cluster.as_ref().map_or_else(Names::default, |cluster| {
            Names::new(&cluster.import_policy, &cluster.export_policy)
        }),
        kernel_policies: raw.kernel.as_ref().map_or_else(Vec::new, |k| names(&k.policy)),
        choice: routing::choice(raw),
        mesh_allowance: routing::mesh(raw),
        pods: pods::check(raw, &kernel, problems),
        kernel,
        tunnel: settings::tunnel(raw, problems),
        timers: settings::timers(raw, problems),
        http: settings::http(raw, problems),
        per_peer: settings::per_peer(raw),
        control: settings::control(raw),
        readers: settings::readers(raw),
        bird: settings::bird(raw, problems),
        port: settings::port(raw),
        listen: settings::listen(raw, problems),
        bfd: bfd::mesh(raw, problems),
        reflectors,
        warnings: Vec::new(),
        texts: Texts::default(),
        files: Vec::new(),
        folders: Vec::new(),
    }
}
