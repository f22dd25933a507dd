//! The control API as OpenAPI 3.1: `openapi.json` beside this folder is made of the types of
//! [`crate::api`], with their comments, and of [`operations`], which has the paths.
//!
//! It is made by a test alone and committed: programs carry the text, never what makes it.
//! `tests/bgpctl/openapi.rs` holds the paths to the router and the schemas to its answers,
//! `tests/netns/openapi.rs` to those of a daemon.
//!
//! `make reference` writes it anew.

mod operation;
mod operations;

use std::path::Path;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::ApiError;
use operation::{Answer, At, Operation, Parameter, Takes};
use operations::OPERATIONS;

const ABOUT: &str = "\
What `starlingd` says and `bgpctl`, `curl` and the page read: HTTP with JSON.

**Where.** The control socket (`[control] socket`, a Unix socket for root and its group) answers \
everything. Its sibling `read.sock` (`[control] readers`) and the TCP listeners (`[http] listen`) answer \
what changes nothing: there every POST is refused with 403, and nobody is asked for others.

**Stable.** Within `/v1` fields, values of enums, parameters and paths are added; none is renamed, \
removed or given another meaning. So a reader ignores fields that it does not know, and takes a word \
that it does not know for \"something else\". What cannot be had that way would become `/v2`, beside it. \
The sentences in fields such as `why`, `reason`, `warning` and `text` are for people and change at will; \
beside each stands an enum where a program may want to branch. `bgpctl … --json` prints these answers as \
they come, so the same holds for it.

**Times** are whole seconds in fields that end in `_s` (`_ms`: milliseconds), as \"how long ago\" or \
\"for how long\"; a wall-clock time is in events alone. Addresses and prefixes are strings in their usual \
form, AS numbers are numbers.

**Tables** that may be big come as NDJSON (`application/x-ndjson`): one JSON value a line, of the schema \
that is given. Where such a table had to stop half-way its last line is an `ApiError`: it is not \
complete. The stream of events never ends by itself.

**Errors** are an `ApiError` with 400 (the question makes no sense: an unknown parameter is an error), 403 \
(not here), 404 (there is no such thing), 405, 409 (not as things stand), or 503 (no answer in time).";

/// The document.
fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    let error = generator.subschema_for::<ApiError>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation, &mut generator);
    }
    let mut schemas = Value::Object(generator.take_definitions(true));
    plain(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Starling's control API",
            "version": "1",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [control(), readers(), tcp()],
        "paths": paths,
        "components": {
            "responses": {
                "Error": {
                    "description": "What is wrong, and what to do.",
                    "content": { "application/json": { "schema": error } },
                },
            },
            "schemas": schemas,
        },
    })
}

fn control() -> Value {
    json!({
        "url": "http://localhost",
        "description": "The control socket, a Unix socket: everything. \
            `curl --unix-socket /run/starling/control.sock http://localhost/v1/summary`",
    })
}

fn readers() -> Value {
    json!({
        "url": "http://localhost/",
        "description": "The readers' socket, /run/starling/read.sock: what changes nothing.",
    })
}

fn tcp() -> Value {
    json!({
        "url": "http://{address}",
        "description": "A TCP listener of `[http] listen`: what changes nothing.",
        "variables": { "address": { "default": "127.0.0.1:9179" } },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let Operation { method, path, at, takes, answer, others, summary, about } = operation;
    let words = path.trim_start_matches("/v1").replace(['{', '}', '.'], "");
    let words = words.split('/').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    let mut out = json!({
        "operationId": format!("{method}_{}", if words.is_empty() { "page" } else { &words }),
        "summary": summary,
        "responses": {
            "200": answered("", answer, generator),
            "default": { "$ref": "#/components/responses/Error" },
        },
    });
    if !about.is_empty() {
        out["description"] = json!(about);
    }
    match at {
        At::Everywhere => {}
        At::ControlSocket => out["servers"] = json!([control()]),
        At::WhereNothingChanges => out["servers"] = json!([readers(), tcp()]),
    }
    for (status, words, answer) in *others {
        out["responses"][status.to_string()] = answered(words, answer, generator);
    }
    let name = path.contains("{name}").then(|| {
        json!({
            "name": "name", "in": "path", "required": true, "schema": { "type": "string" },
            "description": "The neighbour's name or address.", "example": "server2",
        })
    });
    let queries = takes.parameters.iter().map(parameter);
    let parameters: Vec<Value> = name.into_iter().chain(queries).collect();
    if !parameters.is_empty() {
        out["parameters"] = json!(parameters);
    }
    if takes.file {
        out["requestBody"] = json!({
            "required": true,
            "description": "The text of the configuration's first file.",
            "content": { "text/plain": { "schema": { "type": "string" } } },
        });
    }
    out
}

fn parameter(parameter: &Parameter) -> Value {
    let Parameter { name, of, needed, repeated, example, about } = parameter;
    let mut schema = of.schema();
    let mut example = match schema["type"].as_str() {
        Some("integer") => json!(example.parse::<u64>().unwrap()),
        Some("boolean") => json!(*example == "true"),
        _ => json!(example),
    };
    if *repeated {
        schema = json!({ "type": "array", "items": schema });
        example = json!([example]);
    }
    let mut out = json!({
        "name": name, "in": "query", "schema": schema, "description": about, "example": example,
    });
    if *needed {
        out["required"] = json!(true);
    }
    if *repeated {
        out["explode"] = json!(true);
    }
    out
}

fn answered(words: &str, answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let (kinds, schema, usual) = match answer {
        Answer::Json(of) => (&["application/json"][..], of(generator).to_value(), "The answer."),
        Answer::Lines(of) => (
            &["application/x-ndjson"][..],
            of(generator).to_value(),
            "A line of JSON for each; the schema is that of a line.",
        ),
        Answer::Stream(of) => (
            &["application/x-ndjson", "text/event-stream"][..],
            of(generator).to_value(),
            "A line of JSON for each, or server-sent events with that for `data`; the schema is that \
             of one.",
        ),
        Answer::Text(kinds) => (*kinds, json!({ "type": "string" }), "The text."),
    };
    let content: Map<String, Value> =
        kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect();
    json!({ "description": if words.is_empty() { usual } else { words }, "content": content })
}

/// Takes what is only for readers of the code out of descriptions: links to other items.
fn plain(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace("[`super::", "`").replace("[`", "`").replace("`]", "`");
                *text = text.replace('\n', " ");
            }
            map.values_mut().for_each(plain);
        }
        Value::Array(values) => values.iter_mut().for_each(plain),
        _ => {}
    }
}

#[test]
fn the_document_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.json");
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "src/api/openapi.json is not what the types of src/api and src/api/openapi/operations.rs \
         say; `make reference` writes it"
    );
}

#[test]
fn each_operation_has_a_name_of_its_own() {
    let document = document();
    let mut names = std::collections::BTreeSet::new();
    for operation in OPERATIONS {
        let described = &document["paths"][operation.path][operation.method];
        let name = described["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} comes twice");
        let takes: &Takes = &operation.takes;
        let file = described.get("requestBody").is_some();
        assert_eq!(takes.file, file, "{name}");
    }
}
