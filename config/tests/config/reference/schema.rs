//! The reference as a JSON Schema (draft 7, which editors of TOML understand): `schema.json`.

use serde_json::{Map, Value as Json, json};
use starling_config::reference::{Key, Span, TABLES, Table, Value, Without};
use toml::de::{DeTable, DeValue};

use super::all_keys;
use super::frame::{all_places, load};
use crate::files;

/// The text of the file.
pub(super) fn text() -> String {
    serde_json::to_string_pretty(&schema()).unwrap() + "\n"
}

fn schema() -> Json {
    let (file, tables) = TABLES.split_first().unwrap();
    let mut whole = object(file);
    whole["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    whole["title"] = json!("Starling's configuration");
    whole["description"] = json!("One file for all nodes; see REFERENCE.md.");
    for table in tables {
        let name = table.what.trim_matches(['[', ']']);
        let one = object(table);
        let several = table.what.starts_with("[[");
        whole["properties"][name] = match several {
            true => json!({ "type": "array", "description": table.about, "items": one }),
            false => one,
        };
    }
    // Files that are included have parts of this: nothing is required at this level.
    let mut definitions = Map::new();
    for place in all_places().iter().filter(|place| !place.path.is_empty()) {
        definitions.insert(name(place.table), object(place.table));
    }
    whole["definitions"] = definitions.into();
    whole
}

fn name(table: &Table) -> String {
    table.what.replace('`', "").replace(' ', "-")
}

fn object(table: &Table) -> Json {
    let needed: Vec<&str> = table
        .keys
        .iter()
        .filter(|key| matches!(key.without, Without::Needed))
        .map(|key| key.name)
        .collect();
    let keys: Map<String, Json> =
        table.keys.iter().map(|key| (key.name.to_owned(), described(key))).collect();
    let mut object = json!({
        "type": "object",
        "description": table.about,
        "additionalProperties": false,
        "properties": keys,
    });
    if !needed.is_empty() {
        object["required"] = json!(needed);
    }
    object
}

fn described(key: &Key) -> Json {
    let mut value = shape(&key.value);
    // Beside a $ref draft 7 reads nothing.
    if value.get("$ref").is_some() {
        value = json!({ "allOf": [value] });
    }
    value["description"] = json!(key.about);
    value["examples"] = json!([literal(key.example)]);
    match key.without {
        Without::Is(text) => value["default"] = literal(text),
        Without::As(words, _) | Without::None(words) => {
            value["description"] = json!(format!("{} Default: {words}.", key.about));
        }
        Without::Needed => {}
    }
    value
}

fn shape(value: &Value) -> Json {
    match value {
        Value::Flag => json!({ "type": "boolean" }),
        Value::Word(words) => json!({ "enum": words }),
        Value::Number { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Value::Time(Span { least, most, zero, .. }) => {
            let least = if *zero { 0 } else { least.div_ceil(1000) };
            json!({ "anyOf": [
                { "type": "string", "pattern": "^([0-9]+(ms|s|m|min|h))+$" },
                { "type": "integer", "minimum": least, "maximum": most / 1000 },
            ] })
        }
        Value::Text(kind) => match kind.pattern {
            Some(pattern) => json!({ "type": "string", "pattern": pattern }),
            None => json!({ "type": "string" }),
        },
        Value::Either(several) => {
            json!({ "anyOf": several.iter().map(shape).collect::<Vec<_>>() })
        }
        Value::List(element) => json!({ "type": "array", "items": shape(element) }),
        Value::OneOrList(element) => {
            let one = shape(element);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Value::Labels => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Value::Table(table) => json!({ "$ref": format!("#/definitions/{}", name(table)) }),
        Value::Tables(table) => {
            json!({ "type": "array", "items": { "$ref": format!("#/definitions/{}", name(table)) } })
        }
    }
}

/// A value of the file as JSON.
fn literal(text: &str) -> Json {
    document(&format!("value = {text}"))["value"].take()
}

fn document(text: &str) -> Json {
    table(DeTable::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).get_ref())
}

fn table(table: &DeTable<'_>) -> Json {
    let pairs = table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())));
    Json::Object(pairs.collect())
}

fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Integer(number) => {
            json!(i64::from_str_radix(number.as_str(), number.radix()).unwrap())
        }
        DeValue::Array(array) => array.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(inner) => table(inner),
        DeValue::Float(_) | DeValue::Datetime(_) => panic!("the configuration has none of these"),
    }
}

#[test]
fn the_schema_takes_what_the_loader_takes() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let fits = |what: &str, text: &str| {
        if let Err(error) = schema.validate(&document(text)) {
            panic!("{what}: {error} at {}\n{text}", error.instance_path());
        }
    };
    for (name, text) in files("good") {
        fits(&name, &text);
    }
    for (place, key) in all_keys() {
        fits(&format!("{place} {}", key.name), &place.with(key, key.example));
        if let Without::Is(value) | Without::As(_, value) = key.without {
            fits(&format!("{place} {}", key.name), &place.with(key, value));
        }
    }
}

#[test]
fn the_schema_refuses_what_an_editor_can_see() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for place in all_places() {
        let text = place.text(&[("nonsense", "1")]);
        assert!(load(&text).is_err());
        assert!(!schema.is_valid(&document(&text)), "{place}: an unknown key");
    }
    for (place, key) in all_keys() {
        if let Value::Number { most, .. } = key.value {
            let text = place.with(key, &(most + 1).to_string());
            assert!(!schema.is_valid(&document(&text)), "{place} {}: too much", key.name);
        }
        if let Value::Word(_) = key.value {
            let text = place.with(key, "\"nonsense\"");
            assert!(!schema.is_valid(&document(&text)), "{place} {}: a word", key.name);
        }
    }
}
