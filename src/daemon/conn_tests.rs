//! A connection's reads and writes, over loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use super::*;

/// A connection of ours, and its other end.
async fn both() -> (Conn, std::net::TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let caller = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    (Conn::new(TcpStream::from_std(accepted).unwrap()), caller)
}

/// How it ends, once the kernel has brought that over.
async fn end(conn: &mut Conn) -> io::ErrorKind {
    loop {
        if let Err(error) = conn.progress(true).await {
            return error.kind();
        }
    }
}

#[tokio::test]
async fn what_a_caller_has_said_is_read_before_the_first_word_goes() {
    let (mut conn, mut caller) = both().await;
    caller.write_all(b"OPEN").unwrap();
    // Until the kernel shows it.
    conn.stream.readable().await.unwrap();
    conn.send(Bytes::from_static(b"ours"));
    assert!(conn.progress(true).await.unwrap());
    assert_eq!((&conn.input[..], conn.queued()), (&b"OPEN"[..], 4), "nothing went yet");
    conn.send(Bytes::from_static(b", and the answer"));
    assert!(!conn.progress(true).await.unwrap());
    assert_eq!(conn.queued(), 0, "both went, with one call");
    let mut heard = [0; 20];
    caller.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"ours, and the answer");
}

#[tokio::test]
async fn to_a_silent_caller_the_first_word_goes_at_once() {
    let (mut conn, mut caller) = both().await;
    conn.send(Bytes::from_static(b"ours"));
    assert!(!conn.progress(true).await.unwrap());
    assert_eq!(conn.queued(), 0);
    let mut heard = [0; 4];
    caller.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"ours");
}

#[tokio::test]
async fn who_sends_much_is_given_more_room_and_everything_comes() {
    let (mut conn, mut caller) = both().await;
    let much: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (sent, mut came) = (much.clone(), Vec::new());
    let sender = std::thread::spawn(move || {
        caller.write_all(&sent).unwrap();
        caller
    });
    while came.len() < much.len() {
        if conn.progress(true).await.unwrap() {
            let read = conn.input.split();
            came.extend_from_slice(&read);
        }
    }
    assert!(came == much);
    assert!(conn.room > READ && conn.room <= MOST, "{}", conn.room);
    drop(sender.join().unwrap());
    assert_eq!(end(&mut conn).await, io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_read_that_took_all_there_was_waits_for_what_comes_next() {
    let (mut conn, mut caller) = both().await;
    for word in ["one", "two", "three"] {
        caller.write_all(word.as_bytes()).unwrap();
        while conn.input.len() < word.len() {
            conn.progress(true).await.unwrap();
        }
        assert_eq!(&conn.input.split()[..], word.as_bytes());
    }
    // The end of it is news even where nothing was left to read.
    drop(caller);
    assert_eq!(end(&mut conn).await, io::ErrorKind::UnexpectedEof);
}
