//! Answers that are lost. The requests fail wherever this runs and whoever runs it: they remove
//! documentation prefixes from a table that does not exist.

use super::Writer;
use crate::types::{Hops, KernelRoute, Kind, RouteKey, RouteOp};

fn ops(n: u8) -> Vec<RouteOp> {
    (0..n)
        .map(|n| {
            RouteOp::Delete(KernelRoute {
                key: RouteKey {
                    prefix: format!("192.0.2.{n}/32").parse().unwrap(),
                    table: 3_999_999_999,
                    metric: 7,
                },
                protocol: 251,
                kind: Kind::Blackhole,
                scope: 0,
                tos: 0,
                source: None,
                hops: Hops::new(),
                object: None,
            })
        })
        .collect()
}

#[tokio::test]
async fn lost_answers_leave_the_whole_chunk_unknown() {
    let mut writer = Writer::open().unwrap();
    let ops = ops(200);
    let told = writer.apply(&ops).await;
    assert_eq!(told.len(), 200);
    let errno = told[0].errno;
    assert!([libc::ESRCH, libc::EPERM].contains(&errno), "{told:?}");
    assert!(told.iter().zip(&ops).all(|(f, op)| f.op == *op && f.errno == errno));

    // No room for two hundred answers: the first chunk's are lost, and so is its ACK.
    writer.socket.grow_receive_buffer(0).unwrap();
    let told = writer.apply(&ops).await;
    assert_eq!(told.len(), 200);
    assert!(told.iter().zip(&ops).all(|(f, op)| f.op == *op && f.errno == libc::ENOBUFS));

    // The next chunk is not confused by what was left over.
    let told = writer.apply(&ops[..1]).await;
    assert_eq!(told.iter().map(|f| f.errno).collect::<Vec<_>>(), [errno]);
}
