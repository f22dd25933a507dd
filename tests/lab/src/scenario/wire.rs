//! What pods' packets look like on their way: captures at several places at once.

use super::topology::{Node, Topology};
use crate::{Capture, Netns, Result, Stage, ping};
use anyhow::bail;
use std::time::Duration;

/// How long packets may take that are sent already.
const ON_THE_WIRE: Duration = Duration::from_secs(60);

/// How an echo request must look at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The pods' addresses and nothing else.
    Plain,
    /// The nodes' addresses outside, the pods' inside.
    Tunnelled,
}

impl Look {
    fn in_words(self) -> &'static str {
        match self {
            Self::Plain => "pod addresses only",
            Self::Tunnelled => "node addresses outside, pod addresses inside",
        }
    }

    /// How tcpdump begins the line. Older ones close a wrapped packet with
    /// `(ipip-proto-4)`, Debian 12's does not; the second `IP` says the same.
    fn pattern(self, from: &Node, to: &Node) -> String {
        let inner = format!("IP {} > {}: ICMP echo request", from.pod.address, to.pod.address);
        match self {
            Self::Plain => inner,
            Self::Tunnelled => format!("IP {} > {}: {inner}", from.address, to.address),
        }
    }
}

impl Topology {
    /// One echo from the pod of `from` to the pod of `to`, seen at several places at once:
    /// each a namespace, a device in it, and how the request must look there.
    pub fn check_wire(
        &self,
        stage: &mut Stage,
        from: &Node,
        to: &Node,
        places: &[(&Netns, &str, Look)],
    ) {
        let seen = self.watch(from, to, places);
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                stage.check("packets can be captured", Err::<(), _>(error));
                return;
            }
        };
        for ((netns, device, look), packets) in places.iter().zip(seen) {
            let what = format!("{} of {}: {}", device, netns.host(), look.in_words());
            let outcome = packets.and_then(|packets| {
                let pattern = look.pattern(from, to);
                if packets.iter().any(|line| line.starts_with(&pattern)) {
                    return Ok(packets);
                }
                bail!("no request that begins with\n{pattern}\namong\n{}", packets.join("\n"))
            });
            if let Some(packets) = stage.check(&what, outcome) {
                stage.show(
                    &format!("ip netns exec {} tcpdump -n -i {device}", netns.name()),
                    &packets.join("\n"),
                );
            }
        }
    }

    fn watch(
        &self,
        from: &Node,
        to: &Node,
        places: &[(&Netns, &str, Look)],
    ) -> Result<Vec<Result<Vec<String>>>> {
        // A request and its reply, in whatever wrapping; nothing else, such as redirects.
        let filter = "ip proto 4 or (icmp and (icmp[0] = 8 or icmp[0] = 0))";
        let captures: Vec<Capture> = places
            .iter()
            .enumerate()
            .map(|(i, (netns, device, _))| {
                let log = self.lab.dir().join(format!("capture-{i}.log"));
                Capture::start(netns, device, filter, 2, &log)
            })
            .collect::<Result<_>>()?;
        ping(&from.pod.netns, to.pod.address.into(), 1)?;
        Ok(captures.into_iter().map(|capture| capture.packets(ON_THE_WIRE)).collect())
    }
}
