//! Connections, one task each, no more than so many at a time; more wait in the kernel's queue.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Serves what `accept` yields until `shutdown` resolves. What is being served then goes on as long
/// as the result is kept.
pub(crate) async fn each<S, F: Future<Output = ()> + Send + 'static>(
    places: usize,
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<S>>,
    mut serve: impl FnMut(S) -> F,
    shutdown: impl Future<Output = ()>,
) -> JoinSet<()> {
    let places = Arc::new(Semaphore::new(places));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = async {
            // Never closed, so this always yields a place.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, poll_fn(&mut accept).await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut shutdown => return connections,
            Some(_) = connections.join_next() => continue,
            next = next => next,
        };
        match accepted {
            Ok(stream) => {
                let served = serve(stream);
                connections.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(e) => {
                // Mostly EMFILE: waiting may help, spinning does not.
                tracing::warn!("control socket: cannot accept: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
