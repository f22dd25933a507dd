//! An AS path as people sketch it: `65000 * 65010`.
//!
//! A number is that AS, `?` any one, `*` any number of them, none too; the sketch is of the whole
//! path, nearest AS first. Unlike a regular expression it never takes longer than the product of
//! the two lengths, and nobody has to know where a number ends. A set counts as one AS, which is
//! each of those in it.

use std::fmt;
use std::str::FromStr;

use crate::types::Asn;
use crate::wire::as_path::{AsPath, Segment, SegmentKind};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathMask(Vec<Token>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    One(Asn),
    AnyOne,
    Any,
}

/// Why a text is no mask: for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotMask(String);

impl fmt::Display for NotMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is neither an AS number nor `?` nor `*`", self.0)
    }
}

impl std::error::Error for NotMask {}

/// One place of a path.
#[derive(Clone, Copy)]
enum Place<'a> {
    As(Asn),
    Set(Segment<'a>),
}

impl PathMask {
    /// Whether a path is like that.
    pub fn matches(&self, path: AsPath<'_>) -> bool {
        let places: Vec<Place<'_>> = path
            .segments()
            .flat_map(|segment| {
                let set = (segment.kind == SegmentKind::Set).then_some(Place::Set(segment));
                let ordered = (set.is_none()).then(|| segment.asns().map(Place::As));
                set.into_iter().chain(ordered.into_iter().flatten())
            })
            .collect();
        let (mut token, mut place) = (0, 0);
        // Where to go on after the last `*`: with one place more in it.
        let mut star: Option<(usize, usize)> = None;
        while let Some(at) = places.get(place) {
            match self.0.get(token) {
                Some(Token::Any) => {
                    star = Some((token, place));
                    token += 1;
                }
                Some(wanted) if wanted.is(*at) => (token, place) = (token + 1, place + 1),
                _ => match star {
                    Some((any, from)) => {
                        star = Some((any, from + 1));
                        (token, place) = (any + 1, from + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0.iter().skip(token).all(|rest| *rest == Token::Any)
    }
}

impl Token {
    fn is(self, place: Place<'_>) -> bool {
        match (self, place) {
            (Token::One(wanted), Place::As(asn)) => wanted == asn,
            (Token::One(wanted), Place::Set(set)) => set.asns().any(|asn| asn == wanted),
            (Token::AnyOne | Token::Any, _) => true,
        }
    }
}

impl FromStr for PathMask {
    type Err = NotMask;

    fn from_str(text: &str) -> Result<PathMask, NotMask> {
        let token = |word: &str| match word {
            "*" => Ok(Token::Any),
            "?" => Ok(Token::AnyOne),
            number => match number.parse() {
                Ok(asn) => Ok(Token::One(Asn(asn))),
                Err(_) => Err(NotMask(number.to_owned())),
            },
        };
        text.split_whitespace().map(token).collect::<Result<_, _>>().map(PathMask)
    }
}

/// As it is read.
impl fmt::Display for PathMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            match token {
                Token::One(asn) => write!(f, "{gap}{asn}")?,
                Token::AnyOne => write!(f, "{gap}?")?,
                Token::Any => write!(f, "{gap}*")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sequences around a set.
    const PATH: [u8; 32] = [
        2, 2, 0, 0, 0, 1, 0, 0, 0, 2, // 1 2
        1, 2, 0, 0, 0, 8, 0, 0, 0, 9, // {8 9}
        2, 2, 0, 0, 0, 2, 0, 0, 0, 3, // 2 3
        0, 0,
    ];

    fn matches(mask: &str) -> bool {
        mask.parse::<PathMask>().unwrap().matches(AsPath::new(&PATH[..30]))
    }

    #[test]
    fn a_sketch_is_of_the_whole_path() {
        for mask in
            ["*", "1 *", "* 3", "1 2 8 2 3", "1 2 9 2 3", "? ? ? ? ?", "* 2 *", "1 * 2 3", "* ? *"]
        {
            assert!(matches(mask), "{mask}");
        }
        for mask in ["", "1", "2 *", "* 2", "1 2 2 3", "? ? ? ?", "* 7 *", "1 2 8 9 2 3", "3 * 1"] {
            assert!(!matches(mask), "{mask}");
        }
        let own = AsPath::default();
        for (mask, holds) in [("", true), ("*", true), ("?", false), ("* 1", false)] {
            assert_eq!(mask.parse::<PathMask>().unwrap().matches(own), holds, "{mask}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let mask: PathMask = " 65000  * ? 4200000000".parse().unwrap();
        assert_eq!(mask.to_string(), "65000 * ? 4200000000");
        assert_eq!("65000 _".parse::<PathMask>().unwrap_err().0, "_");
        assert!("-1".parse::<PathMask>().is_err() && "4294967296".parse::<PathMask>().is_err());
    }
}
