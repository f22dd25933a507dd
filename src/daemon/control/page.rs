//! `GET /` of the listeners that change nothing: the node's page for a browser.
//!
//! One file that asks `/v1` of the daemon it came from. What a browser may do with it is said in a
//! policy: run this script and style, known by a number of this answer's own, and talk to this
//! daemon; nothing else, whatever a neighbour or a file has named itself.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Refusal;
use crate::api::ApiError;

const PAGE: &str = include_str!("page.html");

pub(super) async fn page() -> Result<Response, Refusal> {
    let number = getrandom::u64().map_err(|error| {
        Refusal::unavailable(ApiError::new(format!("no random number: {error}")))
    })?;
    let nonce = format!("{number:016x}");
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((head, PAGE.replace("{{nonce}}", &nonce)).into_response())
}
