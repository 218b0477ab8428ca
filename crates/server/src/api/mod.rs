//! `/api`.

use std::sync::Arc;

use antiphon_hub::Node;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::http::request;

#[derive(Debug)]
pub(crate) struct Access;

pub(crate) async fn answer(
    _node: &Arc<Node>,
    _access: &Access,
    _parts: &request::Parts,
    _method: &str,
    _body: Bytes,
) -> Response<Full<Bytes>> {
    Response::default()
}

pub(crate) fn open_api() -> Response<Full<Bytes>> {
    Response::default()
}
