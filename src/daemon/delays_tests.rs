//! What is encoded, beside what the library encodes of the same.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::*;

#[test]
fn it_reads_as_the_library_s_own_histogram_does() {
    let classes = Classes::new(&DECISION);
    let library = Histogram::new(DECISION.map(|end| end as f64 / 1e6));
    // Below, at and above the ends, and far beyond them all.
    for micros in [0, 7, 10, 11, 299, 300, 301, 50_000, 999_999, 1_000_000, 1_000_001, 1 << 35] {
        let time = Duration::from_micros(micros);
        classes.clone().took(time);
        library.observe(time.as_secs_f64());
    }
    let text = |metric: Box<dyn FnOnce(&mut Registry)>| {
        let mut registry = Registry::with_prefix("starling");
        metric(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    };
    let ours = text(Box::new(|to: &mut Registry| {
        to.register_with_unit("x", "help", Unit::Seconds, classes)
    }));
    let theirs = text(Box::new(|to: &mut Registry| {
        to.register_with_unit("x", "help", Unit::Seconds, library)
    }));
    // Sums of many fractions differ in their last digit.
    let is_sum = |line: &&str| line.starts_with("starling_x_seconds_sum");
    let but_sum = |text: &str| text.lines().filter(|l| !is_sum(l)).collect::<Vec<_>>().join("\n");
    assert_eq!(but_sum(&ours), but_sum(&theirs));
    let sum = |text: &str| -> f64 {
        text.lines().find(is_sum).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
    };
    assert!((sum(&ours) - sum(&theirs)).abs() < 1e-6, "{ours}");
    assert!(ours.contains("starling_x_seconds_bucket{le=\"+Inf\"} 12"), "{ours}");
}
