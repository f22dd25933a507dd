//! The interfaces, and who uses them: what the Fib knows, with the neighbours' names.

use starling_fib::fib::interfaces::InterfaceView;
use starling_fib::types::Ends;

use super::{Refusal, View, stopping};
use crate::api::{ApiError, Interface, InterfaceQuery, LinkState};

impl View {
    pub(super) async fn all_interfaces(
        &self,
        query: InterfaceQuery,
    ) -> Result<Vec<Interface>, Refusal> {
        let roster = self.roster();
        let sessions: Vec<Ends> = roster.peers.iter().map(|(plan, _)| plan.ends()).collect();
        let known = self.fib.ask(move |fib| fib.interfaces(&sessions)).await;
        let names: Vec<&str> = roster.peers.iter().map(|(plan, _)| plan.name.as_str()).collect();
        let all = known.ok_or_else(stopping)?.into_iter().map(|view| interface(view, &names));
        let Some(wanted) = query.name else { return Ok(all.collect()) };
        let found: Vec<Interface> = all.filter(|interface| interface.name == wanted).collect();
        if found.is_empty() {
            return Err(Refusal::not_found(
                ApiError::new(format!("this node has no interface `{wanted}`"))
                    .hint("`bgpctl show interfaces` lists those of the daemon's network namespace"),
            ));
        }
        Ok(found)
    }
}

fn interface(view: InterfaceView, neighbors: &[&str]) -> Interface {
    let InterfaceView { link, master, addresses, own, tunnel, routes, pods, sessions } = view;
    let named = |position: usize| neighbors.get(position).map(|name| (*name).to_owned());
    Interface {
        state: LinkState::of(link.up, link.running),
        name: link.name,
        index: link.index,
        kind: link.kind,
        mtu: link.mtu,
        master,
        table: link.vrf,
        addresses,
        own,
        tunnel,
        neighbors: sessions.into_iter().filter_map(named).collect(),
        routes: routes as u64,
        pods: pods as u64,
    }
}
