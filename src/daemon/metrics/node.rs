//! The program, its configuration, what is wrong, its memory and its queues.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::{Counters, Gauges, Scrape, count, gauge, labels, signed};

pub(super) fn describe(scrape: &Scrape, registry: &mut Registry) {
    let Scrape { version, summary, .. } = scrape;
    let build = vec![
        ("version", version.version.clone()),
        ("commit", version.commit.clone().unwrap_or_default()),
    ];
    registry.register("build", "The program that runs", Info::new(build));
    let uptime = gauge(summary.uptime_s);
    registry.register_with_unit("uptime", "Since the daemon started", Unit::Seconds, uptime);
    registry.register(
        "config_generation",
        "The configuration in force: 1 at the start, one more at every successful reload",
        gauge(summary.generation),
    );
    let digest = vec![("digest", summary.digest.clone())];
    registry.register(
        "config",
        "The configuration in force: SHA-256 of its files",
        Info::new(digest),
    );
    registry.register(
        "config_unconfirmed",
        "1 while the configuration in force is undone unless it is confirmed",
        gauge(u64::from(summary.confirm_s.is_some())),
    );
    registry.register(
        "config_rejected",
        "1 while the newest configuration has errors and an older one is in force",
        gauge(u64::from(scrape.rejected)),
    );
    registry.register("ready", "1 if the node does its job", gauge(u64::from(summary.ready.ready)));
    let trouble = Gauges::default();
    for reason in &summary.ready.reasons {
        let mut labels = labels([("code", &reason.code), ("subject", &reason.subject)]);
        labels.extend(reason.cause.map(|cause| ("cause", cause.to_string())));
        trouble.get_or_create(&labels).set(1);
    }
    registry.register("trouble", "1 for each thing that is wrong, as in /readyz", trouble);
    memory(scrape, registry);
    let queues = Gauges::default();
    for (queue, depth) in &scrape.queues {
        queues.get_or_create(&labels([("queue", queue)])).set(signed(count(*depth)));
    }
    registry.register("queue_messages", "Messages that wait for an actor", queues);
    policies(scrape, registry);
}

fn memory(scrape: &Scrape, registry: &mut Registry) {
    let memory = &scrape.memory;
    for (name, help, octets) in [
        ("memory_resident", "Of the machine's memory", Some(memory.resident_bytes)),
        ("memory_used", "Allocated", memory.used_bytes),
        ("memory_free", "Free inside of what the allocator holds", memory.free_bytes),
    ] {
        if let Some(octets) = octets {
            registry.register_with_unit(name, help, Unit::Bytes, gauge(octets));
        }
    }
    let (octets, items) = (Gauges::default(), Gauges::default());
    for kind in &scrape.memory.kinds {
        let labels = labels([("kind", &kind.kind)]);
        octets.get_or_create(&labels).set(signed(kind.bytes));
        items.get_or_create(&labels).set(signed(kind.count));
    }
    let help = "What memory is used for, as bgpctl show memory has it";
    registry.register_with_unit("memory_kind", help, Unit::Bytes, octets);
    registry.register("memory_kind_items", "How many of each kind there are", items);
}

fn policies(scrape: &Scrape, registry: &mut Registry) {
    let hits = Counters::default();
    for policy in &scrape.policies {
        for rule in &policy.rules {
            let name = rule.name.as_deref().unwrap_or_default();
            let labels =
                labels([("policy", &policy.name), ("rule", &rule.number), ("name", &name)]);
            hits.get_or_create(&labels).inc_by(rule.hits);
        }
    }
    let help = "How often a rule has decided about a route since it was read";
    registry.register("policy_rule_hits", help, hits);
}
