//! The IP-in-IP device (RFC 2003) that routes to nodes outside the subnet go through.
//!
//! In: a [`TunnelSpec`]. Out: the device of that name, of kind ipip, with no remote of its own (the
//! route names the far end), up, with its MTU and address; or a [`TunnelError`] that says what to do.
//!
//! Loading the module ipip makes the device tunl0 in every network namespace (unless
//! net.core.fb_tunnels_only_for_init_net says otherwise): so first the module, then a look, and
//! only then a device of our own. An address that somebody else put on the device stays; one that
//! this process put there earlier gives way when the configuration names another. A device that
//! this process set up and somebody renamed gets its name back.
//!
//! A device of our own is made as the module's is, and as Calico's nodes have it: TTL and DF of the
//! outer header are those of the inner one (`ttl inherit`, `nopmtudisc`). So a packet with DF that
//! does not fit gets its ICMP, from the device's MTU or from what routers on the way said of the
//! path (RFC 2003 §5.1), and one without DF is fragmented rather than dropped. One that somebody
//! else made with `pmtudisc` sends everything with DF: on a path that is narrower than the underlay's
//! own link, what has none inside would be lost without a word. It is made like the others.
//!
//! If our routes are in a VRF, so is the device: what comes out of it is looked up there. The outer
//! packets go by the main table all the same.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

use futures_util::TryStreamExt;
use netlink_packet_core::ErrorMessage;
use netlink_packet_route::link::{
    InfoData, InfoIpTunnel, InfoKind, LinkAttribute, LinkInfo, LinkMessage,
};
use rtnetlink::{AddressMessageBuilder, Handle, LinkIpIp, LinkMessageBuilder, LinkUnspec};

use crate::types::{TunnelError, TunnelSpec};

/// The tunnel device, as far as this process had a hand in it.
pub(super) struct Tunnel {
    accept_any_kind: bool,
    /// The device that this process set up (by index), and its name.
    device: Option<(u32, String)>,
    /// The address that this process put on a device (by index).
    address: Option<(u32, Ipv4Addr)>,
}

impl Tunnel {
    pub(super) fn new(accept_any_kind: bool) -> Tunnel {
        Tunnel { accept_any_kind, device: None, address: None }
    }

    /// Makes the device what `spec` says; harmless if it is already.
    pub(super) async fn ensure(&mut self, spec: &TunnelSpec) -> Result<(), TunnelError> {
        let (connection, handle, _unsolicited) =
            rtnetlink::new_connection().map_err(|error| failed(spec, error.to_string()))?;
        let connection = tokio::spawn(connection);
        let result = self.ensure_with(&handle, spec).await;
        connection.abort();
        result
    }

    async fn ensure_with(&mut self, handle: &Handle, spec: &TunnelSpec) -> Result<(), TunnelError> {
        let link = match find(handle, spec).await? {
            Some(link) => link,
            None if spec.manage => match self.name_again(handle, spec).await? {
                Some(link) => link,
                None => make(handle, spec).await?,
            },
            None => {
                let reason = "there is no such device, and [tunnel] manage = false leaves making \
                              it to somebody else";
                return Err(failed(spec, reason.to_owned()));
            }
        };
        self.check_kind(spec, &link)?;
        if !spec.manage {
            return Ok(());
        }
        let index = link.header.index;
        if let Some(change) = without_pmtudisc(&link) {
            handle.link().change(change).execute().await.map_err(|e| failed(spec, words(&e)))?;
        }
        let mut set_up = LinkUnspec::new_with_index(index).mtu(spec.mtu).up();
        if let Some(vrf) = spec.vrf {
            set_up = set_up.controller(vrf);
        }
        let set_up = handle.link().set(set_up.build()).execute();
        set_up.await.map_err(|e| failed(spec, words(&e)))?;
        self.device = Some((index, spec.device.clone()));
        let Some(address) = spec.address else { return Ok(()) };
        let wanted = (index, address);
        let mine = match handle.address().add(index, IpAddr::V4(address), 32).execute().await {
            Ok(()) => true,
            Err(error) if errno(&error) == libc::EEXIST => self.address == Some(wanted),
            Err(error) => return Err(failed(spec, words(&error))),
        };
        let earlier = std::mem::replace(&mut self.address, mine.then_some(wanted));
        if let Some(earlier) = earlier.filter(|earlier| *earlier != wanted) {
            remove(handle, earlier).await;
        }
        Ok(())
    }

    /// The device that was of this name gets it back, if somebody renamed it.
    async fn name_again(
        &self,
        handle: &Handle,
        spec: &TunnelSpec,
    ) -> Result<Option<LinkMessage>, TunnelError> {
        let Some((index, _)) = self.device.as_ref().filter(|(_, name)| *name == spec.device) else {
            return Ok(None);
        };
        let rename = || LinkUnspec::new_with_index(*index).name(spec.device.clone()).build();
        let mut renamed = handle.link().set(rename()).execute().await;
        if renamed.as_ref().is_err_and(|error| errno(error) == libc::EBUSY) {
            // Kernels before 6.2 rename only what is down.
            let down = LinkUnspec::new_with_index(*index).down().build();
            let _ = handle.link().set(down).execute().await;
            renamed = handle.link().set(rename()).execute().await;
        }
        match renamed {
            Ok(()) => find(handle, spec).await,
            Err(error) if errno(&error) == libc::ENODEV => Ok(None),
            Err(error) => Err(failed(spec, words(&error))),
        }
    }

    fn check_kind(&self, spec: &TunnelSpec, link: &LinkMessage) -> Result<(), TunnelError> {
        let infos = infos(link);
        let kind = infos.iter().find_map(|info| match info {
            LinkInfo::Kind(kind) => Some(kind),
            _ => None,
        });
        if kind != Some(&InfoKind::IpIp) {
            if self.accept_any_kind {
                return Ok(());
            }
            let kind = kind.map_or_else(|| "plain".to_owned(), ToString::to_string);
            return Err(TunnelError::WrongKind { device: spec.device.clone(), kind });
        }
        let remote = ends(link).iter().find_map(|datum| match datum {
            InfoIpTunnel::Remote(remote) if !remote.is_unspecified() => Some(*remote),
            _ => None,
        });
        match remote {
            None => Ok(()),
            Some(remote) => Err(failed(
                spec,
                format!(
                    "it leads to {remote} only; Starling needs a tunnel without a remote, \
                     because each route names its own: remove the device or name another"
                ),
            )),
        }
    }
}

fn infos(link: &LinkMessage) -> &[LinkInfo] {
    let infos = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos.as_slice()),
        _ => None,
    });
    infos.unwrap_or_default()
}

/// What is set of an ipip device.
fn ends(link: &LinkMessage) -> &[InfoIpTunnel] {
    let data = infos(link).iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::IpTunnel(data)) => Some(data.as_slice()),
        _ => None,
    });
    data.unwrap_or_default()
}

/// The change that takes `pmtudisc` off a device and leaves the rest (a change says everything);
/// a TTL of its own goes with it, which the kernel has only together.
fn without_pmtudisc(link: &LinkMessage) -> Option<LinkMessage> {
    let mut data = ends(link).to_vec();
    if !data.contains(&InfoIpTunnel::PMtuDisc(true)) {
        return None;
    }
    for datum in &mut data {
        match datum {
            InfoIpTunnel::PMtuDisc(on) => *on = false,
            InfoIpTunnel::Ttl(ttl) => *ttl = 0,
            _ => {}
        }
    }
    // Without its name: kernels before 6.2 refuse even the same one to what is up.
    let change = LinkMessageBuilder::<LinkIpIp>::new_with_info_kind(InfoKind::IpIp);
    let change = change.index(link.header.index);
    Some(change.set_info_data(InfoData::IpTunnel(data)).build())
}

/// Creates the device, loading the module first. Without the right to do that (CAP_SYS_MODULE) the
/// kernel is the one that loads it, because a device of its kind is wanted.
async fn make(handle: &Handle, spec: &TunnelSpec) -> Result<LinkMessage, TunnelError> {
    let loaded = tokio::task::spawn_blocking(load_module)
        .await
        .unwrap_or_else(|error| Err(error.to_string()));
    if let Some(link) = find(handle, spec).await? {
        return Ok(link);
    }
    let device = LinkIpIp::new(&spec.device).ttl(0).pmtudisc(false).build();
    match handle.link().add(device).execute().await {
        Ok(()) => {}
        Err(error) if errno(&error) == libc::EOPNOTSUPP => {
            let loading = loaded.err().unwrap_or_else(|| "modprobe ipip succeeded".to_owned());
            let reason = format!("{loading}; the kernel: {}", words(&error));
            return Err(TunnelError::NoModule { reason });
        }
        // The module brought one when it was loaded for ours: of this name, or of another.
        Err(error) if errno(&error) == libc::EEXIST => {
            let reason = "a network namespace has one ipip device without remote, and this one has \
                          it under another name (mostly tunl0): configure that name";
            return find(handle, spec).await?.ok_or_else(|| failed(spec, reason.to_owned()));
        }
        Err(error) => return Err(failed(spec, words(&error))),
    }
    match find(handle, spec).await? {
        Some(link) => Ok(link),
        None => Err(failed(spec, "it vanished right after it was made".to_owned())),
    }
}

/// Loads the module, or says why not. Where ipip is built in, modprobe succeeds as well.
fn load_module() -> Result<(), String> {
    // To start a program takes longer than all the rest of what brings back a deleted device.
    if Path::new("/sys/module/ipip").exists() {
        return Ok(());
    }
    // An absolute path first: a service's PATH often lacks sbin.
    for program in ["/sbin/modprobe", "modprobe"] {
        match Command::new(program).arg("ipip").output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                return Err(format!("modprobe ipip: {}", words.trim()));
            }
            Err(_) => {}
        }
    }
    Err("there is no modprobe command here".to_owned())
}

async fn find(handle: &Handle, spec: &TunnelSpec) -> Result<Option<LinkMessage>, TunnelError> {
    let found = handle.link().get().match_name(&spec.device).execute();
    match std::pin::pin!(found).try_next().await {
        Ok(link) => Ok(link),
        Err(error) if errno(&error) == libc::ENODEV => Ok(None),
        Err(error) => Err(failed(spec, words(&error))),
    }
}

/// Takes an address of ours away again; if it is gone already, so much the better.
async fn remove(handle: &Handle, (index, address): (u32, Ipv4Addr)) {
    let message = AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, 32);
    if let Err(error) = handle.address().del(message.build()).execute().await {
        tracing::debug!(%address, error = words(&error), "the tunnel's earlier address stays");
    }
}

fn failed(spec: &TunnelSpec, reason: String) -> TunnelError {
    TunnelError::Failed { device: spec.device.clone(), reason }
}

fn refusal(error: &rtnetlink::Error) -> Option<&ErrorMessage> {
    match error {
        rtnetlink::Error::NetlinkError(refusal) => Some(refusal),
        _ => None,
    }
}

fn errno(error: &rtnetlink::Error) -> i32 {
    refusal(error).map_or(0, |refusal| refusal.raw_code().saturating_neg())
}

fn words(error: &rtnetlink::Error) -> String {
    refusal(error).map_or_else(|| error.to_string(), |refusal| refusal.to_io().to_string())
}
