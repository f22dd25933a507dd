//! `src/api/openapi.json`, and whether an answer is one that it describes. For the tests that have a
//! daemon: `tests/bgpctl` one of samples, `tests/netns` a real one.

use serde_json::Value;

/// The document.
pub struct Document(Value);

/// Something that can be asked.
pub struct Operation<'a> {
    pub method: &'a str,
    pub path: &'a str,
    described: &'a Value,
}

/// One part of a query.
pub struct Parameter<'a> {
    pub name: &'a str,
    pub needed: bool,
    /// A value to ask with.
    pub example: String,
}

impl Document {
    pub fn read() -> Document {
        Document(serde_json::from_str(include_str!("../../src/api/openapi.json")).unwrap())
    }

    pub fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap();
        let methods = paths.iter().flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, described)| Operation {
                method,
                path,
                described,
            })
        });
        methods.collect()
    }

    /// Fails where no answer of that status and media type is described for `operation`, or where
    /// `body` is none such.
    pub fn check(&self, operation: &Operation<'_>, status: u16, kind: &str, body: &str) {
        let what = format!("{} {} ({status})", operation.method, operation.path);
        let responses = &operation.described["responses"];
        let mut response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
        if let Some(name) = response["$ref"].as_str() {
            response = self.0.pointer(name.trim_start_matches('#')).unwrap();
        }
        let media = kind.split(';').next().unwrap_or_default().trim();
        let content = response["content"].get(media);
        let schema =
            &content.unwrap_or_else(|| panic!("{what}: no {media} is described"))["schema"];
        if schema["type"] == "string" {
            assert!(!body.is_empty(), "{what}: nothing");
            return;
        }
        let mut rooted = schema.clone();
        rooted["components"] = self.0["components"].clone();
        let schema = jsonschema::validator_for(&rooted).unwrap();
        let values: Vec<&str> = match media {
            "application/json" => vec![body],
            "text/event-stream" => {
                body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
            }
            _ => body.lines().collect(),
        };
        for text in values {
            let value =
                serde_json::from_str(text).unwrap_or_else(|e| panic!("{what}: {e}: {text}"));
            let errors: Vec<String> = schema
                .iter_errors(&value)
                .map(|error| format!("{error} at {}", error.instance_path()))
                .collect();
            assert!(
                errors.is_empty(),
                "{what}: src/api/openapi.json does not describe this answer \
                 (`make reference` writes it from the types): \
                 {errors:#?}\n{text}"
            );
        }
    }
}

impl Operation<'_> {
    /// The path, for a neighbour of this name.
    pub fn path_for(&self, neighbor: &str) -> String {
        self.path.replace("{name}", neighbor)
    }

    /// What of a query it takes.
    pub fn query(&self) -> Vec<Parameter<'_>> {
        let all = self.described["parameters"].as_array().into_iter().flatten();
        let query = all.filter(|parameter| parameter["in"] == "query");
        let read = query.map(|parameter| {
            let example = match &parameter["example"] {
                Value::Array(several) => &several[0],
                one => one,
            };
            let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let needed = parameter["required"] == true;
            Parameter { name: parameter["name"].as_str().unwrap(), needed, example }
        });
        read.collect()
    }

    /// Whether it can be asked on the control socket, and where nothing may be changed.
    pub fn places(&self) -> (bool, bool) {
        let Some(servers) = self.described["servers"].as_array() else { return (true, true) };
        let says = |words: &str| {
            servers.iter().any(|server| server["description"].as_str().unwrap().contains(words))
        };
        (says("everything"), says("what changes nothing"))
    }

    /// Its answer has no end.
    pub fn is_endless(&self) -> bool {
        self.described["responses"]["200"]["content"].get("text/event-stream").is_some()
    }
}

/// A parameter as it stands in a URL.
pub fn encoded(parameter: &Parameter<'_>) -> String {
    let bytes = parameter.example.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    format!("{}={}", parameter.name, bytes.collect::<String>())
}
