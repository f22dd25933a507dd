//! The table in MRT's form, streamed: a chunk from the Rib, to the reader, and only then the next.
//!
//! The Rib answers in its share of time, as for `bgpctl show routes`, and encodes what it finds where
//! it lies; nothing here has ever more than some chunks.

use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use starling_bgp::mrt::{self, Peer};
use starling_bgp::rib::show::Dump;
use starling_bgp::types::{PeerId, Time};

use super::{Refusal, View, stopping};
use crate::daemon::control::mrt::{Pieces, PiecesSender, pieces};

/// Destinations in one question to the Rib: some 100 KB, and well below a millisecond.
const CHUNK: usize = 1024;

impl View {
    pub(super) async fn dumped(&self) -> Result<Pieces, Refusal> {
        let roster = self.roster();
        let now = SystemTime::now();
        let unix = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
        };
        let up = self.clock.now().since(Time::ZERO);
        let (at, epoch) = (unix(now), unix(now.checked_sub(up).unwrap_or(now)));
        // First this node itself, which has no address towards itself.
        let own = Peer {
            router_id: roster.plan.router_id,
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            asn: roster.plan.asn,
        };
        let reports = self.reports(&roster).await?;
        let of = |report: &super::neighbors::Report<'_>| {
            let agreed = report.status.negotiated.as_ref();
            Peer {
                router_id: agreed.map_or(Ipv4Addr::UNSPECIFIED, |agreed| agreed.router_id),
                address: report.plan.address,
                asn: report.plan.asn,
            }
        };
        let peers: Vec<Peer> = [own].into_iter().chain(reports.iter().map(of)).collect();
        let ids = [PeerId::LOCAL].into_iter().chain(reports.iter().map(|report| report.id));
        let dump = Dump::new(at, epoch, ids);
        let mut first = BytesMut::new();
        mrt::peers(at, roster.plan.router_id, &roster.plan.name, &peers, &mut first);
        let (sender, pieces) = pieces();
        tokio::spawn(self.clone().stream_dump(first.freeze(), dump, sender));
        Ok(pieces)
    }

    async fn stream_dump(self, first: Bytes, mut dump: Dump, pieces: PiecesSender) {
        if pieces.send(Ok(first)).await.is_err() {
            return;
        }
        let mut cursor = None;
        loop {
            let question = self.rib.ask(move |rib| {
                let mut out = BytesMut::new();
                let next = rib.dump(&mut dump, cursor, CHUNK, &mut out);
                (dump, next, out.freeze())
            });
            let Some((same, next, octets)) = question.await else {
                // The reader may have gone as well.
                let _ = pieces.send(Err(stopping().body)).await;
                return;
            };
            if !octets.is_empty() && pieces.send(Ok(octets)).await.is_err() {
                return;
            }
            match next {
                Some(next) => (cursor, dump) = (Some(next), same),
                None => return,
            }
        }
    }
}
