//! Local pods, streamed as the Fib knows them.

use starling_fib::pods::PodView;

use super::{View, stopping};
use crate::api::Pod;
use crate::daemon::control::rows::{self, CHUNK};
use crate::daemon::control::{Rows, RowsSender};

impl View {
    pub(super) fn pod_rows(&self) -> Rows<Pod> {
        let (sender, rows) = rows::rows();
        tokio::spawn(self.clone().stream_pods(sender));
        rows
    }

    async fn stream_pods(self, rows: RowsSender<Pod>) {
        let mut after = None;
        loop {
            let Some(pods) = self.fib.ask(move |fib| fib.local_pods(after, CHUNK)).await else {
                // The reader may have gone as well.
                let _ = rows.send(Err(stopping().body)).await;
                return;
            };
            let Some(last) = pods.last() else { return };
            after = Some(last.prefix);
            if rows.send(Ok(pods.into_iter().map(pod).collect())).await.is_err() {
                return;
            }
        }
    }
}

fn pod(pod: PodView) -> Pod {
    Pod {
        address: pod.prefix.addr(),
        interface: pod.interface,
        protocol: pod.protocol,
        announced: pod.standing.is_announced(),
        why: pod.standing.to_string(),
    }
}
