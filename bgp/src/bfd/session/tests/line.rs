//! Two sessions over a line that loses, delays and doubles packets, but keeps their order: BFD has
//! no sequence numbers, so one that is overtaken by a later state would be believed.

use proptest::prelude::*;

use super::super::*;

/// What happens to one end at a moment (milliseconds).
#[derive(Clone, Copy, Debug)]
enum Event {
    Configure {
        end: usize,
        interval: u64,
        multiplier: u8,
        role: Role,
    },
    /// From now on so many percent are lost, each way by itself.
    Loss {
        end: usize,
        percent: u64,
    },
}

struct Line {
    now: Time,
    ends: [Session; 2],
    /// Arrival, receiver, packet.
    way: Vec<(Time, usize, Packet)>,
    loss: [u64; 2],
    dice: Jitter,
    news: Vec<(Time, usize, BfdOut)>,
}

impl Line {
    fn new(seed: u64) -> Line {
        let interval = Duration::from_millis(300);
        let config = Config { interval, multiplier: 3, role: Role::Active };
        let end = |n: u32| {
            let number = NonZeroU32::new(n).unwrap();
            Session::new(Time::ZERO, config, number, seed ^ u64::from(n))
        };
        Line {
            now: Time::ZERO,
            ends: [end(11), end(22)],
            way: Vec::new(),
            loss: [0, 0],
            dice: Jitter::new(seed),
            news: Vec::new(),
        }
    }

    fn dice(&mut self, sides: u64) -> u64 {
        let drawn = self.dice.within(Duration::from_micros(sides));
        u64::try_from(drawn.as_micros()).unwrap() - 1
    }

    fn input(&mut self, end: usize, input: BfdIn) {
        let mut out = Vec::new();
        self.ends[end].handle(self.now, input, &mut out);
        for out in out {
            let BfdOut::Send(packet) = out else {
                self.news.push((self.now, end, out));
                continue;
            };
            // Every packet crosses the wire as octets.
            let packet = Packet::read(&packet.bytes()).unwrap();
            let copies = if self.dice(20) == 0 { 2 } else { 1 };
            for _ in 0..copies {
                if self.dice(100) >= self.loss[end] {
                    let delay = Duration::from_micros(100 + self.dice(20_000));
                    let before = self.way.iter().filter(|(_, to, _)| *to != end);
                    let last = before.map(|(at, ..)| *at).max().unwrap_or(Time::ZERO);
                    self.way.push((last.max(self.now.after(delay)), 1 - end, packet));
                }
            }
        }
    }

    fn run(&mut self, until: Time) {
        loop {
            let arrival = self.way.iter().map(|(at, ..)| *at).min();
            let deadlines = self.ends.iter().filter_map(Session::next_deadline);
            let Some(next) = deadlines.chain(arrival).min().filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(next);
            if let Some(found) = self.way.iter().position(|(at, ..)| *at <= self.now) {
                let (_, end, packet) = self.way.remove(found);
                self.input(end, BfdIn::Received(packet));
            }
            for end in 0..2 {
                if self.ends[end].next_deadline().is_some_and(|at| at <= self.now) {
                    self.input(end, BfdIn::Tick);
                }
            }
        }
        self.now = until;
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Configure { end, interval, multiplier, role } => {
                let interval = Duration::from_millis(interval);
                self.input(end, BfdIn::Configure(Config { interval, multiplier, role }));
            }
            Event::Loss { end, percent } => self.loss[end] = percent,
        }
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..2_usize, 10..3000_u64, 1..10_u8, any::<bool>()).prop_map(
            |(end, interval, multiplier, passive)| {
                let role = if passive { Role::Passive } else { Role::Active };
                Event::Configure { end, interval, multiplier, role }
            }
        ),
        (0..2_usize, prop_oneof![Just(0), Just(100), 0..60_u64])
            .prop_map(|(end, percent)| Event::Loss { end, percent }),
    ]
}

#[test]
fn on_a_good_line_both_are_up_within_two_slow_intervals() {
    for seed in 0..50 {
        let mut line = Line::new(seed);
        line.run(Time(2_100_000));
        assert_eq!(line.states(), [State::Up; 2], "seed {seed}");
        line.run(Time(600_000_000));
        assert_eq!(line.news.len(), 2, "seed {seed}: {:?}", line.news);
        // 300 ms less 6 % on average: 2130 in ten minutes.
        for end in &line.ends {
            assert!((2000..2700).contains(&end.status().sent), "{}", end.status().sent);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happened: over a line that works again both come Up and agree on the rates; over
    /// one that is cut both know within the longer detection time.
    #[test]
    fn both_ends_always_agree_in_the_end(
        seed in any::<u64>(),
        events in proptest::collection::vec((0..5000_u64, event()), 0..12),
    ) {
        let mut line = Line::new(seed);
        for (after, event) in events {
            line.run(line.now.after(Duration::from_millis(after)));
            line.event(event);
        }
        line.loss = [0, 0];
        // One that begins is enough (RFC 5880 §6.1).
        line.event(Event::Configure { end: 0, interval: 700, multiplier: 3, role: Role::Active });
        // A detection time of 9 x 3 s, slow start, and packets that one in three had to wait for.
        line.run(line.now.after(Duration::from_secs(60)));
        prop_assert_eq!(line.states(), [State::Up; 2]);
        let status = line.ends.each_ref().map(Session::status);
        for (one, other) in [(0, 1), (1, 0)] {
            prop_assert!(!status[one].polling);
            prop_assert_eq!(Some(status[one].transmit), status[other].receive);
        }
        let before = line.news.len();
        line.run(line.now.after(Duration::from_secs(300)));
        prop_assert_eq!(line.news.len(), before, "a good line loses nothing");

        let longest = line.ends.iter().filter_map(|end| end.status().detection).max().unwrap();
        line.loss = [100, 100];
        line.run(line.now.after(longest + Duration::from_millis(50)));
        prop_assert_eq!(line.states(), [State::Down; 2]);
        for end in 0..2 {
            let (_, _, last) = *line.news.iter().rfind(|(_, who, _)| *who == end).unwrap();
            prop_assert!(matches!(last, BfdOut::Down(_)));
        }
    }

    /// News alternates: nothing goes down that was not up.
    #[test]
    fn down_comes_only_after_up(
        seed in any::<u64>(),
        events in proptest::collection::vec((0..3000_u64, event()), 0..20),
    ) {
        let mut line = Line::new(seed);
        for (after, event) in events {
            line.run(line.now.after(Duration::from_millis(after)));
            line.event(event);
        }
        for end in 0..2 {
            let news = line.news.iter().filter(|(_, who, _)| *who == end);
            for (n, (_, _, out)) in news.enumerate() {
                prop_assert_eq!(matches!(out, BfdOut::Up), n % 2 == 0);
            }
        }
    }
}
