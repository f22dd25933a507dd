//! Typed access to a spanned TOML table: what `raw` is written in.
//!
//! serde stops at the first value that does not fit. Here each value is read by itself and what
//! is wrong goes to [`Problems`], so that one run shows all of it; a value that was there but
//! unreadable ([`Field::Bad`]) is told from one that is missing, so that no error breeds others.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::source::{At, Problems, Sp, shown};

/// A value that a table may have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Field<T> {
    /// The key is not there.
    #[default]
    Absent,
    /// It is there, what it says was refused (and noted).
    Bad,
    /// Readable.
    Is(Sp<T>),
}

impl<T> Field<T> {
    pub(crate) fn get(&self) -> Option<&Sp<T>> {
        match self {
            Field::Is(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.get().map(|sp| &sp.value)
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }
}

/// Why a value was refused.
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Wrong {
        Wrong { hint: Some(hint.into()), ..self }
    }

    /// It is of another type.
    pub(crate) fn kind(value: &DeValue<'_>) -> Wrong {
        Wrong::new(format!("this is {}", kind(value)))
    }
}

/// A value that stands for itself in TOML (no table, no array).
pub(crate) trait Scalar: Sized {
    /// What is right, in words: `an address such as "10.1.5.10"`.
    const EXPECTED: &'static str;
    /// Reads it.
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong>;
}

/// One table being read. `keys` are all that it may have.
pub(crate) struct Section<'r, 'i> {
    /// How people write it: `[[node]]`.
    pub(crate) what: &'static str,
    pub(crate) at: At,
    table: &'r DeTable<'i>,
    keys: &'static [&'static str],
    problems: &'r mut Problems,
}

impl<'r, 'i> Section<'r, 'i> {
    /// Begins to read `table`; unknown keys are noted at once, with the nearest known one.
    /// `elsewhere` are the other tables' names and keys: the key may have strayed.
    pub(crate) fn new(
        what: &'static str,
        table: &'r DeTable<'i>,
        at: At,
        keys: &'static [&'static str],
        elsewhere: &[(&'static str, &'static [&'static str])],
        problems: &'r mut Problems,
    ) -> Section<'r, 'i> {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if keys.contains(&name) {
                continue;
            }
            let hint = nearest(name, keys.iter().copied())
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| {
                    let homes = elsewhere.iter().filter(|(_, k)| k.contains(&name));
                    // What may be said once for all is more often meant than for one of many.
                    let (home, _) = homes.min_by_key(|(what, _)| what.starts_with("[["))?;
                    Some(format!("`{}` belongs into {home}", shown(name)))
                });
            problems
                .error(place(at.file, key), format!("unknown key `{}` in {what}", shown(name)))
                .expected(format!("one of {}", keys.join(", ")))
                .maybe_hint(hint);
        }
        Section { what, at, table, keys, problems }
    }

    fn raw(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'i>>> {
        debug_assert!(self.keys.contains(&key), "{key} is missing from the list of known keys");
        self.table.get(key)
    }

    /// The value of `key`.
    pub(crate) fn one<T: Scalar>(&mut self, key: &'static str) -> Field<T> {
        match self.raw(key) {
            None => Field::Absent,
            Some(value) => match scalar(value, self.at.file, self.problems) {
                Some(value) => Field::Is(value),
                None => Field::Bad,
            },
        }
    }

    /// The value of `key`, which must be there.
    pub(crate) fn needed<T: Scalar>(&mut self, key: &'static str) -> Field<T> {
        let field = self.one(key);
        if field.is_absent() {
            self.missing(key, T::EXPECTED);
        }
        field
    }

    /// Notes that `key` is not there.
    pub(crate) fn missing(&mut self, key: &'static str, expected: &str) {
        let what = self.what;
        self.problems
            .error(self.at, format!("{what} has no `{key}`"))
            .expected(format!("{key} = {expected}"));
    }

    /// The values of `key`: an array. Bad elements are noted and left out.
    pub(crate) fn list<T: Scalar>(&mut self, key: &'static str) -> Field<Vec<Sp<T>>> {
        self.elements(key, false)
    }

    /// The values of `key`: an array, or a single value.
    pub(crate) fn one_or_list<T: Scalar>(&mut self, key: &'static str) -> Field<Vec<Sp<T>>> {
        self.elements(key, true)
    }

    fn elements<T: Scalar>(&mut self, key: &'static str, single: bool) -> Field<Vec<Sp<T>>> {
        let Some(value) = self.raw(key) else { return Field::Absent };
        let file = self.at.file;
        let at = place(file, value);
        if single && !matches!(value.get_ref(), DeValue::Array(_)) {
            return match scalar(value, file, self.problems) {
                Some(one) => Field::Is(Sp { value: vec![one], at }),
                None => Field::Bad,
            };
        }
        match value.get_ref() {
            DeValue::Array(array) => {
                let mut list = Vec::with_capacity(array.len());
                let mut bad = false;
                for element in array.iter() {
                    match scalar(element, file, self.problems) {
                        Some(element) => list.push(element),
                        None => bad = true,
                    }
                }
                match bad && list.is_empty() {
                    true => Field::Bad,
                    false => Field::Is(Sp { value: list, at }),
                }
            }
            other => {
                let note = self.problems.error(at, format!("`{key}` is {}", kind(other)));
                note.expected(format!("an array: {key} = [{}, …]", T::EXPECTED));
                if let DeValue::String(text) = other {
                    note.hint(format!("{key} = [\"{}\"]", shown(text)));
                }
                Field::Bad
            }
        }
    }

    /// What stands at `key`, for values that may be of several types.
    pub(crate) fn any(&mut self, key: &'static str) -> Option<(&'r DeValue<'i>, At)> {
        self.raw(key).map(|value| (value.get_ref(), place(self.at.file, value)))
    }

    /// The notebook.
    pub(crate) fn problems(&mut self) -> &mut Problems {
        self.problems
    }
}

/// A table of strings (`{ rack = "rack0" }`), already found to be one.
pub(crate) fn strings(
    table: &DeTable<'_>,
    file: usize,
    problems: &mut Problems,
) -> Vec<(Sp<String>, Sp<String>)> {
    let mut pairs = Vec::new();
    for (key, value) in table.iter() {
        let key = Sp { value: key.get_ref().to_string(), at: place(file, key) };
        if let Some(value) = scalar::<String>(value, file, problems) {
            pairs.push((key, value));
        }
    }
    pairs
}

/// Reads one value or notes why not.
pub(crate) fn scalar<T: Scalar>(
    value: &Spanned<DeValue<'_>>,
    file: usize,
    problems: &mut Problems,
) -> Option<Sp<T>> {
    let at = place(file, value);
    match T::read(value.get_ref()) {
        Ok(value) => Some(Sp { value, at }),
        Err(wrong) => {
            problems.error(at, wrong.message).expected(T::EXPECTED).maybe_hint(wrong.hint);
            None
        }
    }
}

/// The place of a spanned thing.
pub(crate) fn place<T>(file: usize, spanned: &Spanned<T>) -> At {
    let span = spanned.span();
    At { file, start: span.start, end: span.end }
}

/// What type a value is of, in words.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The one of `known` that `word` is most probably a slip of.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A longer word is no slip of anything here, and the distance costs the product of lengths.
    if word.chars().nth(64).is_some() {
        return None;
    }
    let slip = |other: &str| {
        let distance = strsim::damerau_levenshtein(&word.to_lowercase(), &other.to_lowercase());
        (distance <= 1 + other.chars().count() / 4).then_some(distance)
    };
    known
        .into_iter()
        .filter_map(|other| Some((slip(other)?, other)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}
