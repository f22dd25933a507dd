//! What a route costs on its way into the kernel and out again, without the kernel: planned,
//! written down as a request, taken for done; and the kernel's table compared with what is wanted.
//!
//! `cargo bench -p starling-fib`. Ten thousand routes: divide by ten thousand. `make million` runs
//! the whole of it with a kernel.
#![allow(clippy::expect_used, missing_docs, reason = "a program for people; criterion's macros")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ipnet::{IpNet, Ipv4Net};
use starling_fib::Fib;
use starling_fib::mem::Kernel;
use starling_fib::netlink::encode;
use starling_fib::types::{
    Dump, FibConfig, FibIn, FibOut, KernelEvent, KernelRoute, RouteChange, RouteOp, Target,
};

const ROUTES: u32 = 10_000;
/// Routes in a message, as the Rib sends them.
const MESSAGE: usize = 1000;

fn config() -> FibConfig {
    let addresses = vec![Ipv4Addr::new(192, 168, 5, 10).into()];
    FibConfig { addresses, ..FibConfig::default() }
}

/// A kernel with one interface and no route of ours.
fn bare() -> Dump {
    let mut kernel = Kernel::new();
    let nic = kernel.link_add("left", Some("veth"), 1500);
    let own = Ipv4Net::new(Ipv4Addr::new(192, 168, 5, 10), 24).expect("a length");
    kernel.address_add(nic, own.into());
    kernel.dump().expect("no fault was asked for")
}

/// A route each, in no order that a table would like: /28s of 10.0.0.0/8, by fifty next hops.
fn changes(is_wanted: bool) -> Vec<Vec<RouteChange>> {
    let hops: Vec<Target> =
        (0..50).map(|n| Target::via([IpAddr::from(Ipv4Addr::new(192, 168, 5, 100 + n))])).collect();
    let all: Vec<RouteChange> = (0..ROUTES)
        .map(|n| {
            let address = Ipv4Addr::from_bits(0x0a00_0000 | (n * 7919 % ROUTES) << 4);
            let prefix = IpNet::V4(Ipv4Net::new(address, 28).expect("a length"));
            let target = hops.get(n as usize % hops.len()).filter(|_| is_wanted).cloned();
            RouteChange { prefix, target }
        })
        .collect();
    all.chunks(MESSAGE).map(<[RouteChange]>::to_vec).collect()
}

/// Tells the Fib, and that whatever it asks of the kernel is done; what that was.
fn tell(fib: &mut Fib, input: FibIn) -> usize {
    let mut out = Vec::new();
    fib.handle(input, Duration::ZERO, &mut out);
    let mut ops = 0;
    while let Some(asked) = out.pop() {
        if let FibOut::Apply(batch) = asked {
            ops += batch.len();
            fib.handle(FibIn::Applied(Vec::new()), Duration::ZERO, &mut out);
        }
    }
    ops
}

/// One that knows the bare kernel.
fn fib() -> Fib {
    let mut fib = Fib::new();
    tell(&mut fib, FibIn::Configure(Box::new(config())));
    tell(&mut fib, FibIn::Dumped(Box::new(bare())));
    tell(&mut fib, FibIn::Settled);
    fib
}

fn all(fib: &mut Fib, changes: Vec<Vec<RouteChange>>) -> usize {
    changes.into_iter().map(|message| tell(fib, FibIn::Routes(message))).sum()
}

fn loaded() -> Fib {
    let mut fib = fib();
    assert_eq!(all(&mut fib, changes(true)), ROUTES as usize);
    fib
}

/// What the Fib would have the kernel do for all of them.
fn ops() -> Vec<RouteOp> {
    let mut fib = fib();
    let mut ops = Vec::new();
    for message in changes(true) {
        let mut out = Vec::new();
        fib.handle(FibIn::Routes(message), Duration::ZERO, &mut out);
        while let Some(asked) = out.pop() {
            if let FibOut::Apply(batch) = asked {
                ops.extend(batch.iter().cloned());
                fib.handle(FibIn::Applied(Vec::new()), Duration::ZERO, &mut out);
            }
        }
    }
    ops
}

fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    group.bench_function("load", |bencher| {
        let load = |(mut fib, changes)| (all(&mut fib, changes), fib);
        bencher.iter_batched(|| (fib(), changes(true)), load, BatchSize::LargeInput);
    });
    group.bench_function("removal", |bencher| {
        let remove = |(mut fib, changes)| (all(&mut fib, changes), fib);
        bencher.iter_batched(|| (loaded(), changes(false)), remove, BatchSize::LargeInput);
    });
    let mut dump = bare();
    dump.routes.extend(ops().into_iter().filter_map(|op| match op {
        RouteOp::Add(route) => Some(route),
        RouteOp::Replace { .. } | RouteOp::Delete(_) => None,
    }));
    let unsure = || {
        let mut fib = loaded();
        fib.handle(FibIn::Events(vec![KernelEvent::Lost]), Duration::ZERO, &mut Vec::new());
        (fib, Box::new(dump.clone()))
    };
    group.bench_function("dump compared", |bencher| {
        let compare = |(mut fib, dump): (Fib, Box<Dump>)| {
            assert_eq!(tell(&mut fib, FibIn::Dumped(dump)), 0, "nothing differs");
            fib
        };
        bencher.iter_batched(unsure, compare, BatchSize::LargeInput);
    });
}

fn netlink(criterion: &mut Criterion) {
    let ops = ops();
    let mut group = criterion.benchmark_group("netlink");
    group.sample_size(10);
    let mut batch = Vec::new();
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            batch.clear();
            for op in &ops {
                encode::request(op, 1, &mut batch).expect("few next hops");
            }
            black_box(batch.len())
        });
    });
    let route = |op: &RouteOp| -> KernelRoute {
        match op {
            RouteOp::Add(route) | RouteOp::Replace { new: route, .. } | RouteOp::Delete(route) => {
                route.clone()
            }
        }
    };
    let deletes: Vec<RouteOp> = ops.iter().map(|op| RouteOp::Delete(route(op))).collect();
    group.bench_function("encode a removal", |bencher| {
        bencher.iter(|| {
            batch.clear();
            for op in &deletes {
                encode::request(op, 1, &mut batch).expect("few next hops");
            }
            black_box(batch.len())
        });
    });
}

criterion_group!(benches, plan, netlink);
criterion_main!(benches);
