//! The socket file: permissions, leftovers, a second daemon, the end.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use starling::daemon::control::{ListenError, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::http::Daemon;

#[tokio::test]
async fn root_and_group_only_and_gone_at_the_end() {
    let mut daemon = Daemon::start().await;
    let mode = std::fs::metadata(&daemon.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    let directory = daemon.socket.parent().unwrap();
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 1, "nothing is left beside it");
    daemon.stop.take().unwrap().send(()).unwrap();
    daemon.ended.take().unwrap().await.unwrap();
    assert!(!daemon.socket.exists());
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_reader_that_never_reads() {
    let mut daemon = Daemon::start().await;
    daemon.backend.0.made_up.store(1_000_000, std::sync::atomic::Ordering::SeqCst);
    let mut stream = UnixStream::connect(&daemon.socket).await.unwrap();
    stream.write_all(b"GET /v1/routes HTTP/1.0\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 10]).await.unwrap();
    daemon.stop.take().unwrap().send(()).unwrap();
    // Whoever waits for such a reader waits for ever.
    let end = tokio::time::timeout(Duration::from_secs(60), daemon.ended.take().unwrap());
    end.await.expect("an end").unwrap();
    drop(stream);
}

#[tokio::test]
async fn a_leftover_socket_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the leftover of a daemon that was killed");
    let listener = Listener::unix(&path).await.unwrap();
    UnixStream::connect(&path).await.unwrap();
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_second_daemon_is_told_of_the_first() {
    let daemon = Daemon::start().await;
    let error = Listener::unix(&daemon.socket).await.unwrap_err();
    assert!(matches!(error, ListenError::AnotherDaemon { .. }), "{error:?}");
    assert!(error.to_string().contains("another daemon answers on /"), "{error}");
    UnixStream::connect(&daemon.socket).await.expect("the first is unharmed");
}

#[tokio::test]
async fn what_is_not_a_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    std::fs::write(&path, "precious").unwrap();
    let error = Listener::unix(&path).await.unwrap_err();
    assert!(matches!(error, ListenError::NotASocket { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn an_end_leaves_a_successors_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let first = Listener::unix(&path).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = Listener::unix(&path).await.unwrap();
    drop(first);
    UnixStream::connect(&path).await.expect("the successor still has its place");
    drop(second);
}
