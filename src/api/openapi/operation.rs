//! What is said of something that can be asked, and short ways to say it: a table of them is all
//! that [`super::operations`] is.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Something that can be asked.
pub(super) struct Operation {
    /// As OpenAPI has it: "get" or "post".
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Where.
    pub(super) at: At,
    pub(super) takes: Takes,
    /// With status 200.
    pub(super) answer: Answer,
    /// With other statuses, where that is no error's.
    pub(super) others: &'static [(u16, &'static str, Answer)],
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
}

/// Where something can be asked.
pub(super) enum At {
    Everywhere,
    ControlSocket,
    /// Everywhere but there.
    WhereNothingChanges,
}

/// What belongs to a question.
pub(super) struct Takes {
    pub(super) parameters: &'static [Parameter],
    /// The text of a configuration, as the body.
    pub(super) file: bool,
}

/// One part of a query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) of: Of,
    pub(super) needed: bool,
    /// It may come several times.
    pub(super) repeated: bool,
    /// The tests ask with it.
    pub(super) example: &'static str,
    pub(super) about: &'static str,
}

/// What a parameter may say.
pub(super) enum Of {
    Flag,
    Number,
    Text,
    Word(&'static [&'static str]),
}

impl Of {
    pub(super) fn schema(&self) -> Value {
        match self {
            Of::Flag => json!({ "type": "boolean" }),
            Of::Number => json!({ "type": "integer", "minimum": 0 }),
            Of::Text => json!({ "type": "string" }),
            Of::Word(words) => json!({ "type": "string", "enum": words }),
        }
    }
}

/// The schema of a type.
pub(super) type Schemas = fn(&mut SchemaGenerator) -> Schema;

/// What comes back.
pub(super) enum Answer {
    Json(Schemas),
    /// NDJSON with an end.
    Lines(Schemas),
    /// NDJSON or server-sent events, without.
    Stream(Schemas),
    /// Text of one of these media types.
    Text(&'static [&'static str]),
}

/// The schema of `T`, by its name.
pub(super) fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// It takes nothing.
pub(super) const NOTHING: Takes = query(&[]);

/// It takes these, in the query.
pub(super) const fn query(parameters: &'static [Parameter]) -> Takes {
    Takes { parameters, file: false }
}

/// It takes a file too.
pub(super) const fn file(parameters: &'static [Parameter]) -> Takes {
    Takes { parameters, file: true }
}

/// May be left out.
pub(super) const fn may(
    name: &'static str,
    of: Of,
    example: &'static str,
    about: &'static str,
) -> Parameter {
    Parameter { name, of, needed: false, repeated: false, example, about }
}

/// Has to be there.
pub(super) const fn must(
    name: &'static str,
    of: Of,
    example: &'static str,
    about: &'static str,
) -> Parameter {
    Parameter { needed: true, ..may(name, of, example, about) }
}

/// May come several times, or not at all.
pub(super) const fn several(
    name: &'static str,
    of: Of,
    example: &'static str,
    about: &'static str,
) -> Parameter {
    Parameter { repeated: true, ..may(name, of, example, about) }
}

/// Changes nothing, and is answered everywhere.
pub(super) const fn get(
    path: &'static str,
    takes: Takes,
    answer: Answer,
    summary: &'static str,
    about: &'static str,
) -> Operation {
    Operation {
        method: "get",
        path,
        at: At::Everywhere,
        takes,
        answer,
        others: &[],
        summary,
        about,
    }
}

/// Changes something, and is for the control socket.
pub(super) const fn post(
    path: &'static str,
    takes: Takes,
    answer: Answer,
    summary: &'static str,
    about: &'static str,
) -> Operation {
    let at = At::ControlSocket;
    Operation { method: "post", path, at, takes, answer, others: &[], summary, about }
}

impl Operation {
    /// Answers with these other statuses too.
    pub(super) const fn or(self, others: &'static [(u16, &'static str, Answer)]) -> Operation {
        Operation { others, ..self }
    }

    /// Is answered there.
    pub(super) const fn at(self, at: At) -> Operation {
        Operation { at, ..self }
    }
}
