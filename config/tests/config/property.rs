//! Whatever the text: an answer, no panic, and places that exist.

use proptest::prelude::*;
use starling_config::{Chosen, Config, Report, diff, parse};

use super::files;

/// Uses whatever came out, so that a panic hidden in a later step shows.
fn exercise(text: &str) {
    match parse(text) {
        Err(errors) => {
            assert!(!errors.errors.is_empty());
            let _ = errors.to_string();
            let lines = text.split('\n').count();
            for problem in errors.errors.iter().chain(&errors.warnings) {
                assert!(problem.line <= lines);
            }
        }
        Ok(config) => {
            for node in &config.nodes {
                let plan = config.plan(node);
                assert!(diff(&plan, &plan).is_empty());
                let report = Report::new(&config, node, Chosen::Node(node.name.clone()), &[]);
                let _ = report.to_string();
            }
        }
    }
}

/// Files as people break them: a good one with pieces cut, doubled or replaced.
fn broken() -> impl Strategy<Value = String> {
    let good: Vec<String> = files("good").into_iter().map(|(_, text)| text).collect();
    let edit =
        (any::<prop::sample::Index>(), 0usize..40, "\\PC{0,12}|[\\[\\]\"={}\n,./0-9a-f:-]{0,8}");
    (prop::sample::select(good), prop::collection::vec(edit, 1..6)).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, new) in edits {
            if chars.is_empty() {
                break;
            }
            let from = at.index(chars.len());
            let to = chars.len().min(from + length);
            chars.splice(from..to, new.chars());
        }
        chars.into_iter().collect()
    })
}

/// Well-formed tables with known and unknown keys and values of every kind.
fn tables() -> impl Strategy<Value = String> {
    let header = prop::sample::select(vec![
        "[cluster]",
        "[[pool]]",
        "[[node]]",
        "[[peer]]",
        "[kernel]",
        "[tunnel]",
        "[timers]",
        "[http]",
        "[metrics]",
        "[control]",
        "[bfd]",
        "[bgp]",
        "[odd]",
        "[[cluster]]",
        "[node]",
    ]);
    let key = prop::sample::select(vec![
        "asn",
        "mesh",
        "router-id",
        "cidr",
        "ipip",
        "name",
        "address",
        "blocks",
        "labels",
        "nodes",
        "tunnel-address",
        "import",
        "export",
        "passive",
        "port",
        "families",
        "local-address",
        "protocol",
        "table",
        "metric",
        "device",
        "mtu",
        "manage",
        "hold",
        "connect-retry",
        "settle",
        "listen",
        "socket",
        "bfd",
        "interval",
        "multiplier",
        "include",
        "x",
    ]);
    let scalar = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<f64>().prop_filter("TOML", |f| f.is_finite()).prop_map(|f| format!("{f:?}")),
        "[a-z0-9.:/ -]{0,16}".prop_map(|s| format!("{s:?}")),
        (any::<u32>(), 0u8..40)
            .prop_map(|(a, l)| format!("\"{}/{l}\"", std::net::Ipv4Addr::from(a))),
        any::<u128>().prop_map(|a| format!("\"{}\"", std::net::Ipv6Addr::from(a))),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("0xffff_ffff_ffff_ffff_ffff".to_owned()),
    ];
    let value = scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(", "))),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|m| {
                let pairs: Vec<String> = m.iter().map(|(k, v)| format!("{k} = {v}")).collect();
                format!("{{ {} }}", pairs.join(", "))
            }),
        ]
    });
    let table =
        (header, prop::collection::btree_map(key, value, 0..8)).prop_map(|(header, keys)| {
            keys.iter().fold(format!("{header}\n"), |text, (k, v)| format!("{text}{k} = {v}\n"))
        });
    prop::collection::vec(table, 0..8).prop_map(|tables| tables.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC*|[\\[\\]\"'={}\n\r\t,.#0-9a-z_\u{0}\u{1b}é\u{feff}-]{0,200}") {
        exercise(&text);
    }

    #[test]
    fn any_broken_file(text in broken()) {
        exercise(&text);
    }

    #[test]
    fn any_tables(text in tables()) {
        exercise(&text);
    }

    /// What check accepts has neither two owners of an address nor a block without a home.
    #[test]
    fn accepted_blocks_are_disjoint_and_in_a_pool(
        blocks in prop::collection::vec((0u8..4, 0u8..4, 24u8..=26), 1..8),
    ) {
        let mut text = "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.0.0.0/15\"\n".to_owned();
        for (i, (b, c, length)) in blocks.iter().enumerate() {
            let d = i as u8 % 4 * 64;
            text.push_str(&format!(
                "[[node]]\nname = \"n{i}\"\naddress = \"192.0.2.{}\"\nblocks = [\"10.{b}.{c}.{d}/{length}\"]\n",
                i + 1
            ));
        }
        let nets: Vec<Option<ipnet::IpNet>> = blocks.iter().enumerate().map(|(i, (b, c, length))| {
            let net: ipnet::IpNet =
                format!("10.{b}.{c}.{}/{length}", i as u8 % 4 * 64).parse().unwrap();
            (net.trunc() == net && *b < 2).then_some(net)
        }).collect();
        let apart = nets.iter().enumerate().all(|(i, a)| nets.iter().skip(i + 1).all(|b| {
            matches!((a, b), (Some(a), Some(b)) if !a.contains(b) && !b.contains(a))
        }));
        let fine = apart && nets.iter().all(Option::is_some);
        prop_assert_eq!(Config::parse(&[("x", &text)]).is_ok(), fine);
    }
}
