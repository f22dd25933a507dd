//! The two text forms: OpenMetrics, and the one before it that whoever does not ask for
//! OpenMetrics understands (`text/plain; version=0.0.4`).
//!
//! They differ where a family is described: the older one has counters under the name of their
//! samples (`…_total`), no type for `…_info`, no units and no end.

/// How `/metrics` is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own, 0.0.4.
    Prometheus,
}

impl Form {
    /// The one that a caller wants, by its Accept.
    pub fn wanted(accept: Option<&str>) -> Form {
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Form::OpenMetrics,
            _ => Form::Prometheus,
        }
    }

    /// As Content-Type says it.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// OpenMetrics in the older form. A family's HELP is followed by its TYPE.
pub(super) fn prometheus(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let kind = lines.peek().and_then(|next| next.strip_prefix("# TYPE "));
        let words = line.strip_prefix("# HELP ").and_then(|words| words.split_once(' '));
        let described = words.zip(kind.and_then(|kind| kind.split_once(' ')));
        if let Some(((name, help), (_, kind))) = described {
            lines.next();
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            out.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with("# ") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
