//! Traces to a collector, over OTLP: where the spans of publications go that the hub makes.

use crate::backend::Client;
use crate::config::server::OpenTelemetry;
use crate::log::BoxedLayer;

#[cfg(feature = "otlp")]
pub(crate) use otlp::Exporter;

/// Sends spans from now on, where that is set: what sends them, and what takes them. Requests go through `client`.
///
/// # Errors
/// When the settings are wrong; the sentence says what to do.
#[cfg(feature = "otlp")]
pub(crate) fn start(
    settings: &OpenTelemetry,
    client: impl FnOnce() -> Client,
) -> Result<Option<(Exporter, BoxedLayer)>, String> {
    settings.enabled.then(|| otlp::start(&settings.endpoint, client())).transpose()
}

/// Sends nothing: this server was built without.
#[cfg(not(feature = "otlp"))]
pub(crate) enum Exporter {}

#[cfg(not(feature = "otlp"))]
impl Exporter {
    /// Nothing waits.
    pub(crate) async fn flush(self) {
        match self {}
    }
}

/// Sends nothing.
///
/// # Errors
/// When it is set that spans are sent.
#[cfg(not(feature = "otlp"))]
pub(crate) fn start(
    settings: &OpenTelemetry,
    _: impl FnOnce() -> Client,
) -> Result<Option<(Exporter, BoxedLayer)>, String> {
    if settings.enabled {
        return Err("opentelemetry.enabled is true, and this server was built without the feature otlp; build it with \
                    --features otlp, or set it to false"
            .into());
    }
    Ok(None)
}

#[cfg(feature = "otlp")]
mod otlp {
    use std::fmt;
    use std::time::Duration;

    use antiphon_hub::trace::TARGET;
    use bytes::Bytes;
    use http::{Request, Response};
    use opentelemetry::KeyValue;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_http::{HttpClient, HttpError};
    use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::Level;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::Layer as _;

    use crate::backend::{Client, Endpoint};
    use crate::log::BoxedLayer;

    /// For everything from looking up the collector's name to the last byte of its answer.
    const TIMEOUT: Duration = Duration::from_secs(10);

    /// How long the last spans may take when the server ends.
    const FLUSH: Duration = Duration::from_secs(5);

    /// Sends spans, in batches, from a thread of its own. What it cannot keep up with is dropped.
    pub(crate) struct Exporter(SdkTracerProvider);

    impl Exporter {
        /// Sends what waits, for some seconds, and ends.
        pub(crate) async fn flush(self) {
            // It blocks, and its requests run on this runtime.
            let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH)).await;
            if let Ok(Err(error)) = ended {
                tracing::warn!(%error, "the last spans were not sent");
            }
        }
    }

    pub(super) fn start(endpoint: &str, client: Client) -> Result<(Exporter, BoxedLayer), String> {
        let wrong = |said: String| format!("opentelemetry: {said}");
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let http = Post { client, endpoint: Endpoint::parse(&url).map_err(wrong)? };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .with_timeout(TIMEOUT)
            .with_http_client(http)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("antiphon");
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("antiphon"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false);
        let wanted = Targets::new().with_target(TARGET, Level::TRACE);
        Ok((Exporter(provider), layer.with_filter(wanted).boxed()))
    }

    /// Posts to the collector.
    struct Post {
        client: Client,
        endpoint: Endpoint,
    }

    #[async_trait::async_trait]
    impl HttpClient for Post {
        async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let (head, body) = request.into_parts();
            let posted = self.client.post(&self.endpoint, head.headers, body, TIMEOUT).await;
            Ok(posted.map_err(|error| {
                // The exporter says no more than that there was an error.
                tracing::warn!(endpoint = %self.endpoint, %error, "spans cannot be sent");
                error.to_string()
            })?)
        }
    }

    impl fmt::Debug for Post {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Post({})", self.endpoint)
        }
    }
}
