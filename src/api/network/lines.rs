//! Prefixes that are to be originated, in words: those of a line, of an option, of a query.

use std::str::FromStr;

use ipnet::IpNet;
use starling_bgp::policy::AnyCommunity;

use super::{NetworkAttributes, NetworkLine};
use crate::api::{ApiError, Lookup, query};

/// The attributes that a line may have.
const NAMES: [&str; 5] = ["med", "local-pref", "origin", "prepend", "community"];

/// As often a `[[policy]]` may put our AS in front.
const MOST_PREPENDED: u8 = 25;
/// More would crowd out the prefixes of a message.
const MOST_COMMUNITIES: usize = 64;

/// Reads prefixes that are to be originated, a line of prefixes with what they all carry:
/// `10.50.0.0/16 10.51.0.0/16 med 50 community 65000:1`. `#` begins a comment.
///
/// # Errors
/// What is wrong with the first bad word, and in which line.
pub fn lines(text: &str) -> Result<Vec<NetworkLine>, ApiError> {
    let mut all = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        let at = |e: ApiError| ApiError { error: format!("line {number}: {}", e.error), ..e };
        read(words, &mut all).map_err(at)?;
    }
    Ok(all)
}

/// One line.
fn read<'a>(
    words: impl Iterator<Item = &'a str>,
    all: &mut Vec<NetworkLine>,
) -> Result<(), ApiError> {
    let (mut prefixes, mut attributes) = (Vec::new(), NetworkAttributes::default());
    let (mut words, mut named) = (words, false);
    while let Some(word) = words.next() {
        let is_name = NAMES.contains(&word);
        if !is_name && !named {
            prefixes.push(prefix(word)?);
            continue;
        }
        named = true;
        let value = words.next().filter(|_| is_name);
        let taken = value.and_then(|value| attributes.take(word, value));
        taken.ok_or_else(|| match is_name {
            true => ApiError::new(format!("`{word}` has no value")),
            false => ApiError::new(format!("`{word}` is no attribute"))
                .hint(format!("behind the prefixes there are {}", NAMES.join(", "))),
        })??;
    }
    if named && prefixes.is_empty() {
        return Err(ApiError::new(format!("`{attributes}` is of no prefix"))
            .hint("a line is 10.50.0.0/16 med 50 community 65000:1"));
    }
    let line = |prefix| NetworkLine { prefix, attributes: attributes.clone() };
    all.extend(prefixes.into_iter().map(line));
    Ok(())
}

impl NetworkAttributes {
    /// Takes one more, by its name and its value in words.
    ///
    /// # Errors
    /// Where the value makes no sense; `None` where there is no attribute of that name.
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), ApiError>> {
        fn number<T: FromStr>(name: &str, value: &str) -> Result<Option<T>, ApiError> {
            let number = value.parse().map_err(|_| ());
            let wrong = |()| ApiError::new(format!("{name} {value} is no number that fits"));
            number.map(Some).map_err(wrong)
        }
        Some(match name {
            "med" => number(name, value).map(|med| self.med = med),
            "local-pref" => number(name, value).map(|pref| self.local_pref = pref),
            "prepend" => prepend(value).map(|times| self.prepend = Some(times)),
            "origin" => query::origin(value).map(|origin| self.origin = Some(origin)),
            "community" => community(value).and_then(|community| {
                if !self.communities.contains(&community) {
                    self.communities.push(community);
                }
                match self.communities.len() {
                    0..=MOST_COMMUNITIES => Ok(()),
                    _ => Err(ApiError::new(format!(
                        "a network carries {MOST_COMMUNITIES} communities at most"
                    ))),
                }
            }),
            _ => return None,
        })
    }
}

/// Reads a prefix that is to be originated.
///
/// # Errors
/// What is wrong with it: no length, bits behind its length, no prefix at all.
pub fn prefix(text: &str) -> Result<IpNet, ApiError> {
    match text.parse()? {
        Lookup::Prefix(prefix) => Ok(prefix),
        Lookup::Address(address) => Err(ApiError::new(format!("`{address}` has no length"))
            .hint("a prefix looks like 10.50.0.0/16 or fd00:50::/64")),
    }
}

/// Reads a community of any kind, and writes it as it is shown.
///
/// # Errors
/// Where it is none, or many.
pub fn community(text: &str) -> Result<String, ApiError> {
    let read: Result<AnyCommunity, _> = text.parse();
    read.map(|community| community.to_string()).map_err(|e| {
        ApiError::new(e.0).hint("one looks like 65000:1, 65000:1:2, rt:65000:1 or no-export")
    })
}

/// Reads how often our AS is put in front.
///
/// # Errors
/// Where it is not possible so often.
pub fn prepend(text: &str) -> Result<u8, ApiError> {
    let times = text.parse().ok().filter(|times| (1..=MOST_PREPENDED).contains(times));
    times.ok_or_else(|| {
        ApiError::new(format!("our AS is put in front 1 to {MOST_PREPENDED} times, not {text}"))
    })
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
