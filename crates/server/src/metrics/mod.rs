//! `/metrics`.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;

use crate::serve::Shared;

pub(crate) fn answer(shared: &Arc<Shared>) -> Response<Full<Bytes>> {
    let text = format!("antiphon_clients {}\n", shared.node.metrics().clients.value());
    Response::new(Full::new(Bytes::from(text)))
}
