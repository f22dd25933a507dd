//! Values of the keys that choose, limit and originate routes.

use ipnet::IpNet;
use starling_bgp::msg::{LimitAction, Originated, PrefixLimit};
use toml::de::{DeTable, DeValue};

use super::unsigned;
use crate::reader::{Scalar, Wrong, nearest};

/// `max-paths`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MaxPaths(pub(crate) u8);

impl Scalar for MaxPaths {
    const EXPECTED: &'static str = "how many equal paths are used at most, 1 to 64";
    fn read(value: &DeValue<'_>) -> Result<MaxPaths, Wrong> {
        match u8::try_from(unsigned(value, 64)?) {
            Ok(n @ 1..) => Ok(MaxPaths(n)),
            _ => Err(Wrong::new("no path at all").hint("1 uses the best one only")),
        }
    }
}

/// `max-prefixes`: per family (IPv4, IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MaxPrefixes(pub(crate) [Option<PrefixLimit>; 2]);

impl Scalar for MaxPrefixes {
    const EXPECTED: &'static str = "a number, or { ipv4 = 1000, ipv6 = 1000, action = \"warn\" | \"drop\" | \"close\", restart = \"5m\" }";
    fn read(value: &DeValue<'_>) -> Result<MaxPrefixes, Wrong> {
        let DeValue::Table(table) = value else {
            let limit = PrefixLimit { max: count(value)?, action: LimitAction::Warn };
            return Ok(MaxPrefixes([Some(limit); 2]));
        };
        known(table, &["ipv4", "ipv6", "action", "restart"])?;
        let get = |key: &str| table.get(key).map(|value| value.get_ref());
        let restart = get("restart").map(std::time::Duration::read).transpose()?;
        let action = match get("action").map(String::read).transpose()?.as_deref() {
            None | Some("warn") => LimitAction::Warn,
            Some("drop") => LimitAction::Drop,
            Some("close") => LimitAction::Close { restart },
            Some(other) => {
                return Err(Wrong::new(format!("`{other}` is no action"))
                    .hint("warn: say so; drop: keep the excess out; close: end the session"));
            }
        };
        if restart.is_some() && !matches!(action, LimitAction::Close { .. }) {
            return Err(Wrong::new("`restart` is for action = \"close\" only"));
        }
        let limit = |key| {
            let max = get(key).map(count).transpose()?;
            Ok::<_, Wrong>(max.map(|max| PrefixLimit { max, action }))
        };
        let limits = [limit("ipv4")?, limit("ipv6")?];
        if limits == [None, None] {
            return Err(Wrong::new("it limits nothing").hint("say ipv4 = … or ipv6 = …"));
        }
        Ok(MaxPrefixes(limits))
    }
}

fn count(value: &DeValue<'_>) -> Result<u32, Wrong> {
    let number = unsigned(value, u64::from(u32::MAX))?;
    match u32::try_from(number) {
        Ok(0) => Err(Wrong::new("no prefix at all").hint("to take nothing, import nothing")),
        Ok(n) => Ok(n),
        Err(_) => Err(Wrong::new("too many")),
    }
}

/// One of `networks`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Network(pub(crate) Originated);

impl Scalar for Network {
    const EXPECTED: &'static str =
        "a prefix such as \"10.50.0.0/16\", or { prefix = \"10.50.0.0/16\", blackhole = true }";
    fn read(value: &DeValue<'_>) -> Result<Network, Wrong> {
        let DeValue::Table(table) = value else {
            let prefix = IpNet::read(value)?;
            return Ok(Network(Originated { prefix, announce: true, blackhole: false }));
        };
        known(table, &["prefix", "blackhole"])?;
        let get = |key: &str| table.get(key).map(|value| value.get_ref());
        let Some(prefix) = get("prefix") else {
            return Err(Wrong::new("it has no `prefix`"));
        };
        let blackhole = get("blackhole").map(bool::read).transpose()?.unwrap_or(false);
        Ok(Network(Originated { prefix: IpNet::read(prefix)?, announce: true, blackhole }))
    }
}

/// An unknown key is an error, here too.
fn known(table: &DeTable<'_>, keys: &[&str]) -> Result<(), Wrong> {
    for (key, _) in table.iter() {
        let key: &str = key.get_ref();
        if !keys.contains(&key) {
            let wrong = Wrong::new(format!("unknown key `{key}`"));
            return Err(match nearest(key, keys.iter().copied()) {
                Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
                None => wrong.hint(format!("known are {}", keys.join(", "))),
            });
        }
    }
    Ok(())
}
