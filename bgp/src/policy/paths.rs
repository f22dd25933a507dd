//! What a rule may ask of AS_PATH, and of numbers.

use std::cmp::Ordering;
use std::fmt;

use regex_lite::Regex;

use crate::attrs::AttrSet;
use crate::types::Asn;
use crate::wire::as_path::SegmentKind;

/// Numbers `min..=max`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Range {
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
}

impl Range {
    /// Whether a number is in it.
    pub fn contains(self, number: u32) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

/// `3`, `ge 3`, `le 5`, `ge 3 le 5`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Range { min, max } if min == max => write!(f, "{min}"),
            Range { min: 0, max: u32::MAX } => f.write_str("any"),
            Range { min: 0, max } => write!(f, "le {max}"),
            Range { min, max: u32::MAX } => write!(f, "ge {min}"),
            Range { min, max } => write!(f, "ge {min} le {max}"),
        }
    }
}

/// A regular expression over the path as it is shown: `65001 65002 {65003,65004}`.
///
/// As on routers, `_` stands for what is between two numbers: a blank, a brace, a comma, the
/// beginning or the end.
#[derive(Clone, Debug)]
pub struct PathRegex {
    text: String,
    regex: Regex,
}

impl PathRegex {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(text: &str) -> Result<PathRegex, String> {
        let regex = Regex::new(&with_gaps(text)).map_err(|e| e.to_string())?;
        Ok(PathRegex { text: text.to_owned(), regex })
    }

    /// Whether a path's text has a part that matches.
    pub fn is_match(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }
}

/// Spells `_` out, except in brackets and after a backslash.
fn with_gaps(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut escaped, mut bracket) = (false, false);
    for c in text.chars() {
        match c {
            '_' if !escaped && !bracket => out.push_str("(?:^|$|[ ,{}])"),
            _ => out.push(c),
        }
        match c {
            _ if escaped => {}
            '[' => bracket = true,
            ']' => bracket = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

impl fmt::Display for PathRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// Two are the same if they are written the same.
impl PartialEq for PathRegex {
    fn eq(&self, other: &PathRegex) -> bool {
        self.text == other.text
    }
}

impl Eq for PathRegex {}

impl PartialOrd for PathRegex {
    fn partial_cmp(&self, other: &PathRegex) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PathRegex {
    fn cmp(&self, other: &PathRegex) -> Ordering {
        self.text.cmp(&other.text)
    }
}

/// Conditions on AS_PATH; all that are there must hold. Lists are sorted; one of it is enough.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct PathPattern {
    /// The AS that the route began in: the last one.
    pub origin: Option<Vec<Asn>>,
    /// The AS that it came from: the first one.
    pub neighbor: Option<Vec<Asn>>,
    /// An AS anywhere in it.
    pub contains: Option<Vec<Asn>>,
    /// It begins with these, in this order (not sorted).
    pub starts_with: Vec<Asn>,
    /// Its length, as the decision counts it.
    pub length: Option<Range>,
    /// A regular expression.
    pub regex: Option<PathRegex>,
}

/// Which condition does not hold, in words.
pub(super) type Miss = String;

fn asns(list: &[Asn]) -> String {
    list.iter().map(|asn| asn.to_string()).collect::<Vec<_>>().join(" ")
}

impl PathPattern {
    /// Whether all conditions hold.
    pub fn holds(&self, attrs: &AttrSet) -> bool {
        self.origin.as_ref().is_none_or(|l| is_in(attrs.as_path().origin(), l))
            && self.neighbor.as_ref().is_none_or(|l| is_in(attrs.rank().neighbor_as, l))
            && self.length.is_none_or(|range| range.contains(attrs.rank().path_len))
            && self.contains.as_ref().is_none_or(|list| has_any(attrs, list))
            && starts_with(attrs, &self.starts_with)
            && self.regex.as_ref().is_none_or(|r| r.is_match(&attrs.as_path().to_string()))
    }

    /// The first condition that does not hold.
    pub(super) fn miss(&self, attrs: &AttrSet) -> Option<Miss> {
        let path = attrs.as_path();
        let shown = |asn: Option<Asn>| asn.map_or("none".to_owned(), |asn| asn.to_string());
        let (origin, neighbor) = (path.origin(), attrs.rank().neighbor_as);
        if let Some(list) = self.origin.as_ref().filter(|l| !is_in(origin, l)) {
            return Some(format!("origin AS is {}, not {}", shown(origin), asns(list)));
        }
        if let Some(list) = self.neighbor.as_ref().filter(|l| !is_in(neighbor, l)) {
            return Some(format!("neighbouring AS is {}, not {}", shown(neighbor), asns(list)));
        }
        if let Some(range) = self.length.filter(|r| !r.contains(attrs.rank().path_len)) {
            return Some(format!("AS path has length {}, not {range}", attrs.rank().path_len));
        }
        if let Some(list) = self.contains.as_ref().filter(|l| !has_any(attrs, l)) {
            return Some(format!("AS path `{path}` does not contain {}", asns(list)));
        }
        if !starts_with(attrs, &self.starts_with) {
            return Some(format!(
                "AS path `{path}` does not start with {}",
                asns(&self.starts_with)
            ));
        }
        let regex = self.regex.as_ref().filter(|r| !r.is_match(&path.to_string()))?;
        Some(format!("AS path `{path}` does not match `{regex}`"))
    }
}

/// `origin 65001, length ge 2`.
impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said: Vec<String> = Vec::new();
        said.extend(self.origin.as_ref().map(|list| format!("origin {}", asns(list))));
        said.extend(self.neighbor.as_ref().map(|list| format!("neighbor {}", asns(list))));
        said.extend(self.contains.as_ref().map(|list| format!("contains {}", asns(list))));
        if !self.starts_with.is_empty() {
            said.push(format!("starts-with {}", asns(&self.starts_with)));
        }
        said.extend(self.length.map(|range| format!("length {range}")));
        said.extend(self.regex.as_ref().map(|regex| format!("regex `{regex}`")));
        f.write_str(&said.join(", "))
    }
}

fn is_in(asn: Option<Asn>, list: &[Asn]) -> bool {
    asn.is_some_and(|asn| list.binary_search(&asn).is_ok())
}

fn has_any(attrs: &AttrSet, list: &[Asn]) -> bool {
    attrs.as_path().asns().any(|asn| list.binary_search(&asn).is_ok())
}

/// Sequences only: a set has no order.
fn starts_with(attrs: &AttrSet, wanted: &[Asn]) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let path = attrs.as_path();
    let ordered = path.segments().take_while(|segment| segment.kind == SegmentKind::Sequence);
    let mut asns = ordered.flat_map(|segment| segment.asns());
    wanted.iter().all(|asn| asns.next() == Some(*asn))
}

#[cfg(test)]
mod tests;
