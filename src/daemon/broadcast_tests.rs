use std::time::Duration;

use tokio::time::timeout;

use super::reader::WAITING;
use super::*;
use crate::api::{SessionEvent, SessionState};

fn query(text: &[(&str, &str)]) -> EventQuery {
    let pairs: Vec<_> = text.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    EventQuery::from_pairs(&pairs).unwrap()
}

const SESSION: About<'static> = About { kind: EventKind::Session, prefix: None, peer: None };

/// All that waits for a reader.
async fn heard(reader: &mut Listener) -> Vec<Arc<Event>> {
    let mut all = reader.next().await.unwrap();
    while let Ok(more) = timeout(Duration::ZERO, reader.next()).await {
        all.extend(more.unwrap());
    }
    all
}

fn session(peer: &str) -> Happening {
    Happening::Session(SessionEvent {
        peer: peer.to_owned(),
        address: [10, 1, 5, 11].into(),
        was: None,
        state: SessionState::Idle,
        reason: None,
    })
}

#[tokio::test]
async fn nothing_is_made_for_nobody() {
    let all = Broadcast::default();
    all.tell(SESSION, || panic!("made for nobody"));
    let routes = all.listen(query(&[("kind", "route"), ("prefix", "10.0.0.0/8")])).unwrap();
    assert!(all.is_wanted(EventKind::Route) && !all.is_wanted(EventKind::Fib));
    all.tell(SESSION, || panic!("made for who wants routes"));
    let prefix = Some("192.0.2.0/24".parse().unwrap());
    let elsewhere = About { kind: EventKind::Route, prefix, peer: None };
    all.tell(elsewhere, || panic!("made for who wants other routes"));
    drop(routes);
    assert!(!all.is_wanted(EventKind::Route));
    let _gw0 = all.listen(query(&[("peer", "gw0")])).unwrap();
    let about = About { peer: Some("server2"), ..SESSION };
    all.tell(about, || panic!("made for who wants another neighbour's"));
}

#[tokio::test]
async fn each_reader_hears_what_it_asked_for_in_order() {
    let all = Broadcast::default();
    let mut everything = all.listen(query(&[])).unwrap();
    let mut gw0 = all.listen(query(&[("peer", "gw0")])).unwrap();
    for peer in ["gw0", "server2", "gw0"] {
        all.tell(SESSION, || session(peer));
    }
    let seen = |events: &[Arc<Event>]| events.iter().map(|event| event.seq).collect::<Vec<_>>();
    let events = everything.next().await.unwrap();
    assert_eq!(seen(&events), [1, 2, 3]);
    assert!(events[0].time.ends_with('Z') && events[0].time.len() == 24, "{}", events[0].time);
    assert_eq!(seen(&gw0.next().await.unwrap()), [1, 3]);
    all.end("enough");
    all.tell(SESSION, || session("gw0"));
    let events = gw0.next().await.unwrap();
    assert_eq!(events.last().unwrap().what, Happening::End { reason: "enough".to_owned() });
    assert!(gw0.next().await.is_none() && all.listen(query(&[])).is_none());
}

#[tokio::test]
async fn a_slow_reader_hears_how_many_it_lost_and_where_and_costs_nobody_anything() {
    let all = Broadcast::default();
    let mut slow = all.listen(query(&[])).unwrap();
    let mut made = 0;
    let mut tell = |kind, times: usize| {
        for _ in 0..times {
            all.tell(About { kind, ..SESSION }, || {
                made += 1;
                session("a")
            });
        }
        made
    };
    assert_eq!(tell(EventKind::Fib, WAITING + 10), WAITING, "what nobody has room for is not made");
    // What routes have filled has room for sessions, which are few and matter more; not without end.
    assert_eq!(tell(EventKind::Session, 2), WAITING + 2);
    tell(EventKind::Fib, 5);
    let most = tell(EventKind::Session, 2 * WAITING);
    assert!(most < 2 * WAITING, "{most}");
    let mut quick = all.listen(query(&[])).unwrap();
    let events = heard(&mut slow).await;
    let lost = |event: &Arc<Event>| match event.what {
        Happening::Lost { count } => Some(count),
        _ => None,
    };
    assert_eq!(events.iter().position(|event| lost(event).is_some()), Some(WAITING));
    assert_eq!((lost(&events[WAITING]), lost(&events[WAITING + 3])), (Some(10), Some(5)));
    let told = events.iter().filter(|event| lost(event).is_none()).count();
    let missed: u64 = events.iter().filter_map(lost).sum();
    assert_eq!(told + missed as usize, 3 * WAITING + 17, "all of it is accounted for");
    tell(EventKind::Session, 1);
    let after = (3 * WAITING + 18) as u64;
    assert_eq!(heard(&mut slow).await[0].seq, after);
    assert_eq!(heard(&mut quick).await[0].seq, after);
}

#[test]
fn places_for_readers_are_few_and_come_free() {
    let all = Broadcast::default();
    let mut readers: Vec<_> = (0..READERS).map(|_| all.listen(query(&[])).unwrap()).collect();
    assert!(all.listen(query(&[])).is_none());
    readers.pop();
    assert!(all.listen(query(&[])).is_some());
}
