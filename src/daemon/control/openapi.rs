//! `GET /v1/openapi.json`: what can be asked here, and what comes back, for programs.

use axum::http::header;
use axum::response::IntoResponse;

use super::NoQuery;

const DOCUMENT: &str = include_str!("../../api/openapi.json");

pub(super) async fn document(_: NoQuery) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
