//! One session against packets made by hand.

use crate::bfd::Malformed;

use super::super::*;

const MS: u64 = 1000;

fn config(interval: u64) -> Config {
    Config { interval: Duration::from_millis(interval), multiplier: 3, role: Role::Active }
}

/// A session and all that it did.
struct Alone {
    session: Session,
    now: Time,
    out: Vec<BfdOut>,
}

fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// What a neighbour with discriminator 9 says to ours, 5: 300 ms, three times.
fn says(state: State) -> Packet {
    Packet {
        diag: Diag::NONE,
        state,
        poll: false,
        finish: false,
        independent: false,
        demand: false,
        multiplier: 3,
        my_discriminator: number(9),
        your_discriminator: Some(number(5)),
        desired_min_tx: 300_000,
        required_min_rx: 300_000,
        required_min_echo_rx: 0,
    }
}

impl Alone {
    fn new() -> Alone {
        let session = Session::new(Time::ZERO, config(300), number(5), 1);
        Alone { session, now: Time::ZERO, out: Vec::new() }
    }

    /// A session in `state`, 10 s old, that has heard the neighbour in Down, Init or Up.
    fn in_state(state: State) -> Alone {
        let mut alone = Alone::new();
        alone.now = Time(10_000 * MS);
        match state {
            State::Down => {}
            State::AdminDown => alone.input(BfdIn::AdminDown),
            State::Init => alone.hear(says(State::Down)),
            State::Up => alone.hear(says(State::Init)),
        }
        assert_eq!(alone.session.state(), state);
        if state == State::Up {
            // The answer to the Poll that ends slow start.
            alone.hear(Packet { finish: true, ..says(State::Up) });
        }
        alone.out.clear();
        alone
    }

    fn input(&mut self, input: BfdIn) {
        self.session.handle(self.now, input, &mut self.out);
    }

    fn hear(&mut self, packet: Packet) {
        self.input(BfdIn::Received(packet));
    }

    /// Lets time pass in the steps that the session asks for.
    fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.session.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(BfdIn::Tick);
        }
        self.now = end;
    }

    fn sent(&self) -> Vec<Packet> {
        let sent = self.out.iter().filter_map(|out| match out {
            BfdOut::Send(packet) => Some(*packet),
            _ => None,
        });
        sent.collect()
    }

    fn news(&self) -> Vec<BfdOut> {
        self.out.iter().filter(|out| !matches!(out, BfdOut::Send(_))).copied().collect()
    }
}

/// §6.8.6, each of our states against each that may be received.
#[test]
fn the_table_of_states() {
    use State::{AdminDown, Down, Init, Up};
    let table = [
        (AdminDown, [AdminDown, AdminDown, AdminDown, AdminDown]),
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
    ];
    for (from, row) in table {
        for (received, to) in State::ALL.into_iter().zip(row) {
            let mut alone = Alone::in_state(from);
            alone.hear(says(received));
            assert_eq!(alone.session.state(), to, "{from:?} receives {received:?}");
            let diag = match (from, to) {
                (AdminDown, _) => Diag::ADMINISTRATIVELY_DOWN,
                (Init | Up, Down) => Diag::NEIGHBOUR_SIGNALLED_DOWN,
                _ => Diag::NONE,
            };
            assert_eq!(alone.session.diag, diag, "{from:?} receives {received:?}");
            // What changed is said at once (§6.8.7).
            let said = alone.sent().last().map(|packet| packet.state);
            assert_eq!(said, (from != to).then_some(to), "{from:?} receives {received:?}");
            let news = alone.news();
            match (from, to) {
                (Down | Init, Up) => assert_eq!(news, [BfdOut::Up]),
                (Up, Down) => assert!(matches!(news[..], [BfdOut::Down(_)]), "{news:?}"),
                _ => assert!(news.is_empty(), "{from:?} receives {received:?}: {news:?}"),
            }
        }
    }
}

#[test]
fn half_the_detection_time_in_silence_is_too_long() {
    let mut alone = Alone::in_state(State::Up);
    alone.pass(Duration::from_millis(450));
    assert!(!alone.session.is_overdue(alone.now));
    alone.pass(Duration::from_millis(1));
    assert!(alone.session.is_overdue(alone.now));
    alone.hear(says(State::Up));
    assert!(!alone.session.is_overdue(alone.now));
    alone.pass(Duration::from_secs(1));
    assert_eq!(alone.session.state(), State::Down);
    assert!(!alone.session.is_overdue(alone.now), "what is down is not late");
}

#[test]
fn silence_is_a_loss_after_the_detection_time_and_not_before() {
    let mut alone = Alone::in_state(State::Up);
    let heard = alone.now;
    alone.pass(Duration::from_micros(899_999));
    assert_eq!(alone.session.state(), State::Up);
    alone.pass(Duration::from_micros(1));
    let cause = Cause::Silent(Duration::from_millis(900));
    let loss = Loss { cause, forwarding_lost: false, heard };
    assert_eq!(alone.news(), [BfdOut::Down(loss)]);
    assert_eq!(cause.to_string(), "neighbour silent for 900 ms");
    let last = *alone.sent().last().unwrap();
    assert_eq!((last.state, last.diag.number()), (State::Down, 1));
    // §6.8.1: what is not heard has no number.
    assert_eq!(last.your_discriminator, None);
    assert_eq!(alone.session.status().remote, None);
    assert_eq!(alone.session.status().flaps, 1);
}

/// §6.1, §6.8.7: a passive end sends nothing while the neighbour has no number that it knows.
#[test]
fn a_passive_end_waits_to_be_spoken_to() {
    let passive = Config { role: Role::Passive, ..config(300) };
    let session = Session::new(Time::ZERO, passive, number(5), 1);
    let mut alone = Alone { session, now: Time::ZERO, out: Vec::new() };
    alone.pass(Duration::from_secs(3600));
    assert!(alone.out.is_empty() && alone.session.next_deadline().is_none(), "{:?}", alone.out);
    // Spoken to, it is as any other.
    alone.hear(Packet { your_discriminator: None, ..says(State::Down) });
    assert_eq!(alone.sent().last().map(|packet| packet.state), Some(State::Init));
    alone.hear(says(State::Up));
    assert_eq!(alone.news(), [BfdOut::Up]);
    alone.hear(Packet { finish: true, ..says(State::Up) });
    alone.out.clear();
    alone.pass(Duration::from_millis(310));
    assert_eq!(alone.sent().len(), 1);
    // The neighbour falls silent, and so does it.
    alone.pass(Duration::from_secs(1));
    assert!(matches!(alone.news()[..], [BfdOut::Down(_)]), "{:?}", alone.out);
    alone.out.clear();
    alone.pass(Duration::from_secs(3600));
    assert!(alone.out.is_empty(), "{:?}", alone.out);
    // It is to begin, and does at once; and is to wait again.
    alone.input(BfdIn::Configure(config(300)));
    alone.pass(Duration::ZERO);
    assert_eq!(alone.sent().len(), 1);
    alone.pass(Duration::from_secs(10));
    assert!((10..=15).contains(&alone.sent().len()), "{}", alone.sent().len());
    alone.input(BfdIn::Configure(passive));
    alone.out.clear();
    alone.pass(Duration::from_secs(10));
    assert!(alone.out.is_empty(), "{:?}", alone.out);
}

#[test]
fn nothing_is_lost_that_was_never_up() {
    let mut alone = Alone::new();
    alone.pass(Duration::from_secs(3600));
    assert!(alone.news().is_empty());
    // Slow, not silent: the neighbour may learn BFD tomorrow.
    let sent = alone.sent();
    assert!((3600..4900).contains(&sent.len()), "{}", sent.len());
    assert!(
        sent.iter().all(|packet| packet.state == State::Down && packet.desired_min_tx >= 1_000_000)
    );
    // Nor one that only began to come up.
    let mut alone = Alone::in_state(State::Init);
    alone.pass(Duration::from_secs(10));
    assert_eq!((alone.session.state(), alone.news()), (State::Down, Vec::new()));
}

#[test]
fn an_end_on_purpose_is_no_loss_of_forwarding() {
    let mut alone = Alone::in_state(State::Up);
    let heard = alone.now;
    alone.pass(Duration::from_millis(100));
    alone.hear(Packet { independent: true, ..says(State::AdminDown) });
    // What ends it is no sign of the path.
    let loss = Loss { cause: Cause::AdminDown, forwarding_lost: true, heard };
    assert_eq!(alone.news(), [BfdOut::Down(loss)]);
    assert_eq!(alone.session.status().flaps, 0);
    let mut alone = Alone::in_state(State::Up);
    let diag =
        Packet::read(&[0x25, 0, 1, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let diag = diag.map(|packet| packet.diag).map_err(|_: Malformed| ()).unwrap();
    alone.hear(Packet { diag, ..says(State::Down) });
    let [BfdOut::Down(loss)] = alone.news()[..] else { panic!("{:?}", alone.out) };
    assert_eq!(loss.cause.to_string(), "neighbour signalled down: path down");
    // It was heard a moment ago, but who knows what it has heard in the last detection time?
    assert_eq!(alone.now.since(loss.heard), Duration::from_millis(900));
}

#[test]
fn slow_start_ends_with_a_poll_and_its_answer() {
    let mut alone = Alone::in_state(State::Init);
    assert_eq!(alone.session.offered.transmit, SLOW);
    alone.hear(says(State::Up));
    let sent = alone.sent();
    assert_eq!(sent.len(), 1, "one packet says Up and the new rate: {sent:?}");
    assert!(sent[0].poll && sent[0].desired_min_tx == 300_000);
    // A rate that rises does so at once, and every packet polls until it is answered.
    alone.out.clear();
    alone.pass(Duration::from_millis(310));
    assert!(alone.sent().len() == 1 && alone.sent()[0].poll);
    alone.hear(Packet { finish: true, ..says(State::Up) });
    assert!(!alone.session.polling);
    alone.out.clear();
    alone.pass(Duration::from_millis(310));
    assert!(alone.sent().len() == 1 && !alone.sent()[0].poll);
}

#[test]
fn a_poll_is_answered_at_once_and_not_with_another() {
    let mut alone = Alone::in_state(State::Up);
    let next = alone.session.transmit_at;
    alone.hear(Packet { poll: true, ..says(State::Up) });
    let [answer] = alone.sent()[..] else { panic!("{:?}", alone.out) };
    assert!(answer.finish && !answer.poll);
    assert_eq!(alone.session.transmit_at, next, "the answer is not one of the periodic ones");
}

/// §6.8.3: slower sending and shorter detection only once the neighbour knows.
#[test]
fn what_could_be_taken_for_a_loss_waits_for_the_answer() {
    let mut alone = Alone::in_state(State::Up);
    alone.input(BfdIn::Configure(config(2000)));
    assert!(alone.sent()[0].poll && alone.sent()[0].desired_min_tx == 2_000_000);
    assert_eq!(alone.session.status().transmit, Duration::from_millis(300));
    assert_eq!(alone.session.status().detection, Some(Duration::from_secs(6)), "longer: at once");
    alone.hear(Packet { finish: true, ..says(State::Up) });
    assert_eq!(alone.session.status().transmit, Duration::from_secs(2));

    alone.input(BfdIn::Configure(config(300)));
    assert_eq!(alone.session.status().transmit, Duration::from_millis(300), "faster: at once");
    assert_eq!(alone.session.status().detection, Some(Duration::from_secs(6)));
    // A change within the sequence is the next one's.
    alone.input(BfdIn::Configure(config(400)));
    assert_eq!(alone.sent().last().unwrap().desired_min_tx, 300_000);
    alone.out.clear();
    alone.hear(Packet { finish: true, ..says(State::Up) });
    let [next] = alone.sent()[..] else { panic!("{:?}", alone.out) };
    assert!(next.poll && next.desired_min_tx == 400_000);
    alone.hear(Packet { finish: true, ..says(State::Up) });
    assert_eq!(alone.session.status().detection, Some(Duration::from_millis(1200)));
    assert_eq!(alone.session.state(), State::Up);
    assert!(alone.news().is_empty());
}

#[test]
fn packets_go_no_faster_than_the_neighbour_can_take_them() {
    let mut alone = Alone::in_state(State::Up);
    alone.hear(Packet { required_min_rx: 2_000_000, ..says(State::Up) });
    alone.out.clear();
    // The neighbour goes on as before.
    for _ in 0..100 {
        alone.pass(Duration::from_millis(200));
        alone.hear(Packet { required_min_rx: 2_000_000, ..says(State::Up) });
    }
    assert!((10..=14).contains(&alone.sent().len()), "{}", alone.sent().len());
    // It recovers: the next packet does not wait for the old interval (§6.8.3).
    alone.out.clear();
    alone.hear(says(State::Up));
    alone.pass(Duration::from_millis(300));
    assert!(!alone.sent().is_empty());
}

#[test]
fn who_wants_no_packets_gets_none_but_answers() {
    for quiet in [
        Packet { required_min_rx: 0, ..says(State::Up) },
        Packet { demand: true, ..says(State::Up) },
    ] {
        let mut alone = Alone::in_state(State::Up);
        for _ in 0..20 {
            alone.hear(quiet);
            alone.out.clear();
            alone.pass(Duration::from_millis(250));
            assert!(alone.out.is_empty(), "{:?}", alone.out);
        }
        alone.hear(Packet { poll: true, ..quiet });
        assert!(alone.sent()[0].finish);
        alone.hear(says(State::Up));
        alone.pass(Duration::from_millis(310));
        assert_eq!(alone.sent().len(), 3, "an answer, and periodic ones again: {:?}", alone.out);
    }
}

#[test]
fn a_packet_of_another_session_is_nothing() {
    let mut alone = Alone::in_state(State::Up);
    alone.hear(Packet { your_discriminator: Some(number(6)), ..says(State::Down) });
    assert_eq!(alone.session.state(), State::Up);
    assert!(alone.out.is_empty());
    // A neighbour that lost its memory knows no number.
    alone.hear(Packet { your_discriminator: None, ..says(State::Down) });
    assert_eq!(alone.session.state(), State::Down);
}

#[test]
fn taken_down_on_purpose_it_says_so_and_hears_nobody() {
    let mut alone = Alone::in_state(State::Up);
    alone.input(BfdIn::AdminDown);
    alone.hear(says(State::Up));
    alone.pass(Duration::from_secs(5));
    let sent = alone.sent();
    assert!((5..=8).contains(&sent.len()), "slowly: {}", sent.len());
    assert!(
        sent.iter().all(|packet| packet.state == State::AdminDown && packet.diag.number() == 7)
    );
    assert!(alone.news().is_empty(), "whoever asked for it knows");
}

/// §6.8.7: 75 to 100 % of the interval, 75 to 90 % where one lost packet is a loss.
#[test]
fn intervals_are_jittered_within_their_bounds_and_meet_at_shared_moments() {
    for (interval, multiplier) in [(300, 3), (300, 1), (50, 3), (1000, 5), (7, 2)] {
        let interval_ms = Duration::from_millis(interval);
        let wanted = Config { interval: interval_ms, multiplier, role: Role::Active };
        let mut session = Session::new(Time::ZERO, wanted, number(5), 77);
        let (mut times, mut out) = (Vec::new(), Vec::new());
        let mut now = Time(123 * MS);
        let hear =
            Packet { finish: true, multiplier: 255, required_min_rx: 1, ..says(State::Init) };
        session.handle(now, BfdIn::Received(hear), &mut out);
        session.handle(now, BfdIn::Received(hear), &mut out);
        assert_eq!(session.state(), State::Up);
        for _ in 0..500 {
            now = session.next_deadline().unwrap();
            out.clear();
            session.handle(now, BfdIn::Tick, &mut out);
            session.handle(now, BfdIn::Received(Packet { finish: false, ..hear }), &mut out);
            times.push(now.0);
        }
        let most = if multiplier == 1 { interval * MS * 9 / 10 } else { interval * MS };
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let bounds = interval * MS * 3 / 4..=most;
        assert!(gaps.iter().all(|gap| bounds.contains(gap)), "{interval}: {gaps:?}");
        let spread = gaps.iter().max().unwrap() - gaps.iter().min().unwrap();
        assert!(spread >= interval * MS * 7 / 100, "{interval}: they all look alike");
        if interval >= 20 {
            let moments = (most - interval * MS * 3 / 4) / 2;
            assert!(times.iter().all(|at| at % moments == 0), "{interval}: {times:?}");
        }
    }
}

#[test]
fn a_large_mesh_is_slowed() {
    let wanted = Duration::from_millis(300);
    assert_eq!(crate::bfd::paced(wanted, 0), wanted);
    assert_eq!(crate::bfd::paced(wanted, 100), wanted);
    for sessions in [150_u32, 500, 5000] {
        let interval = crate::bfd::paced(wanted, sessions as usize);
        let each_second = f64::from(sessions) / (interval.as_secs_f64() * 7.0 / 8.0);
        assert!((495.0..=500.0).contains(&each_second), "{sessions}: {each_second}");
    }
}
