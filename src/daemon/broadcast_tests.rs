use super::*;
use crate::api::{SessionEvent, SessionState};

fn query(text: &[(&str, &str)]) -> EventQuery {
    let pairs: Vec<_> = text.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    EventQuery::from_pairs(&pairs).unwrap()
}

const SESSION: About = About { kind: EventKind::Session, prefix: None };

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
    let elsewhere = About { kind: EventKind::Route, prefix: Some("192.0.2.0/24".parse().unwrap()) };
    all.tell(elsewhere, || panic!("made for who wants other routes"));
    drop(routes);
    assert!(!all.is_wanted(EventKind::Route));
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
async fn a_slow_reader_hears_how_many_it_lost_and_costs_nobody_anything() {
    let all = Broadcast::default();
    let mut slow = all.listen(query(&[])).unwrap();
    let mut made = 0;
    for _ in 0..WAITING + 10 {
        all.tell(SESSION, || {
            made += 1;
            session("a")
        });
    }
    assert_eq!(made, WAITING, "what nobody has room for is not made");
    let mut quick = all.listen(query(&[])).unwrap();
    let events = slow.next().await.unwrap();
    assert_eq!(events.len(), WAITING + 1);
    assert_eq!(events[WAITING].what, Happening::Lost { count: 10 });
    all.tell(SESSION, || session("b"));
    let after = (WAITING + 11) as u64;
    assert_eq!(slow.next().await.unwrap()[0].seq, after);
    assert_eq!(quick.next().await.unwrap()[0].seq, after);
}

#[test]
fn places_for_readers_are_few_and_come_free() {
    let all = Broadcast::default();
    let mut readers: Vec<_> = (0..READERS).map(|_| all.listen(query(&[])).unwrap()).collect();
    assert!(all.listen(query(&[])).is_none());
    readers.pop();
    assert!(all.listen(query(&[])).is_some());
}
