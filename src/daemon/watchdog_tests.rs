//! Who does not answer is named. A Rib that runs, and stand-ins where the kernel or a whole daemon
//! would be needed; tests/netns holds the threads of a real one.

use starling_bgp::session::Forwarding;
use starling_fib::Fib;
use starling_fib::netlink::Command;
use tokio::sync::watch;

use super::*;
use crate::daemon::bfd;
use crate::daemon::broadcast::Broadcast;
use crate::daemon::clock::Clock;
use crate::daemon::delays::Delays;
use crate::daemon::fib::FibHandle;
use crate::daemon::rib::{self, RibHandle};

/// For those who answer, however busy this machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where one does not: the others do within this.
const SHORT: Duration = Duration::from_secs(2);

/// Answers every question until its handle is gone.
fn fib() -> FibHandle {
    let (commands, mut inbox) = mpsc::channel(4);
    tokio::spawn(async move {
        let fib = Fib::new();
        while let Some(command) = inbox.recv().await {
            if let Command::Query(look) = command {
                look(&fib);
            }
        }
    });
    FibHandle { commands }
}

fn supervisor() -> mpsc::Sender<Request> {
    let (requests, mut inbox) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(request) = inbox.recv().await {
            if let Request::Alive(answer) = request {
                answer.send(()).unwrap();
            }
        }
    });
    requests
}

fn actors() -> Actors {
    let (clock, forwarding) = (Clock::start(), watch::Sender::new(Forwarding::default()));
    let fib = fib();
    let told = Broadcast::default();
    let rib = rib::spawn(clock, fib.commands.clone(), forwarding, told, Delays::default());
    let bfd = bfd::spawn(clock, rib.control.clone()).unwrap();
    Actors { rib, fib, bfd, broadcast: Broadcast::default(), delays: Delays::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_is_named() {
    let (actors, supervisor) = (actors(), supervisor());
    assert_eq!(round(&actors, &supervisor, PATIENCE).await, Ok(()));

    // Inboxes that nobody reads.
    let ((routes, _routes), (control, _control)) = (mpsc::channel(1), mpsc::channel(1));
    let hung =
        Actors { rib: RibHandle { routes, control, ..actors.rib.clone() }, ..actors.clone() };
    assert_eq!(round(&hung, &supervisor, SHORT).await, Err("the Rib"));

    let (commands, _commands) = mpsc::channel(1);
    let hung = Actors { fib: FibHandle { commands }, ..actors.clone() };
    assert_eq!(round(&hung, &supervisor, SHORT).await, Err("the Fib"));

    let (requests, _requests) = mpsc::channel(1);
    assert_eq!(round(&actors, &requests, SHORT).await, Err("the supervisor"));
    assert_eq!(round(&actors, &supervisor, PATIENCE).await, Ok(()));
}
