//! Looking at the host: interfaces (netlink), settings and counters (/proc), programs, the packet
//! filter (its own tools). Nothing is changed, and nothing that cannot be seen is an error: it is
//! left out, and the check that wanted it says so.

mod filter;
mod kernel;
mod programs;

use starling_fib::netlink::{Netlink, Options};

use super::facts::Host;

/// The host of this network namespace. `tunnel`: the tunnel device's name; `port`: BGP's.
pub async fn host(tunnel: &str, port: u16) -> Host {
    let mut host = Host::default();
    if let Ok((mut kernel, _)) = Netlink::open(Options::default())
        && let Ok(dump) = kernel.interfaces().await
    {
        host.links = dump.links;
        host.addresses = dump.addresses;
    }
    let (tunnel, links) = (tunnel.to_owned(), host.links.clone());
    let seen = tokio::task::spawn_blocking(move || {
        let mut host = Host { links, ..Host::default() };
        kernel::look(&mut host, &tunnel);
        programs::look(&mut host, port);
        host
    });
    let filter = filter::read();
    let (seen, filter) = tokio::join!(seen, filter);
    let addresses = std::mem::take(&mut host.addresses);
    Host { filter, addresses, ..seen.unwrap_or_default() }
}
