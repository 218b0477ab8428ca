//! `/metrics`: what the server counts, in the text format of Prometheus.
//!
//! Nothing is kept in this format. The hub, the gate and the others count in atomics of their own, and whoever scrapes has them read
//! and written down. `docs/src/metrics.md` says what each metric means; a test holds the two together.

mod application;
mod counts;
mod hub;
mod page;
mod process;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use crate::serve::Shared;

pub(crate) use counts::{ApiOutcome, Counts, Endpoint};
use page::Page;

pub(crate) use process::Usage;

/// Answers a scrape.
pub(crate) fn answer(shared: &Arc<Shared>) -> Response<Full<Bytes>> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(Arc::clone(shared))));
    let mut text = String::with_capacity(32 * 1024);
    if prometheus_text::encode(&mut text, &registry).is_err() {
        tracing::error!("the metrics cannot be written");
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    }
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(prometheus_text::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Everything, as it is when it is asked for.
struct Scrape(Arc<Shared>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shared = &self.0;
        let mut page = Page::new(encoder);
        hub::write(&mut page, shared)?;
        shared.counts.write(&mut page)?;
        application::write(&mut page, &shared.application)?;
        process::write(&mut page)
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}
