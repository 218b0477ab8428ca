//! The opening handshake over `http` types, for hyper and axum.
//!
//! ```
//! use antiphon_proto::handshake::{Acceptance, ServerPolicy, http::check};
//!
//! fn answer(request: &http::request::Parts, policy: &ServerPolicy) -> http::Response<String> {
//!     match check(request, policy) {
//!         Ok(opening) => match opening.accept_http(&Acceptance::default()) {
//!             Ok((response, _agreed)) => response.map(|()| String::new()),
//!             Err(error) => opening.refuse(500, &error.to_string()).to_http(),
//!         },
//!         Err(refusal) => refusal.to_http(),
//!     }
//! }
//! ```

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, request};

use super::extended::ExtendedRequest;
use super::field::FieldError;
use super::opening::{Acceptance, Opening, RequestView, Version};
use super::refusal::Refusal;
use super::server::ServerPolicy;
use super::{Agreed, field};

/// Checks a request of HTTP/1.1 against the rules of §4.2.1.
///
/// The limits and the syntax of the head are the HTTP library's: [`HeadScanner`](super::HeadScanner) can stand before it.
///
/// # Errors
///
/// The request breaks a rule.
pub fn check(request: &request::Parts, policy: &ServerPolicy) -> Result<Opening, Refusal> {
    let version = match request.version {
        http::Version::HTTP_09 | http::Version::HTTP_10 => Version::Old,
        http::Version::HTTP_11 => Version::Http11,
        _ => Version::Multiplexed,
    };
    let target = request.uri.to_string();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), field::trim(value.as_bytes())));
    let view = RequestView { method: request.method.as_str(), version, target: &target, headers };
    Opening::check(view, policy).map_err(|violation| match version {
        Version::Multiplexed => Refusal::from(violation).multiplexed(),
        Version::Old | Version::Http11 => violation.into(),
    })
}

/// Checks an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 §4 and §5). `protocol` is its `:protocol`, which HTTP libraries keep
/// among the request's extensions, each in a type of its own.
///
/// # Errors
///
/// The request breaks a rule.
pub fn check_extended(
    request: &request::Parts,
    protocol: &str,
    policy: &ServerPolicy,
) -> Result<Opening, Refusal> {
    let uri = &request.uri;
    let view = ExtendedRequest {
        method: request.method.as_str(),
        protocol,
        scheme: uri.scheme_str(),
        authority: uri.authority().map(http::uri::Authority::as_str),
        path: uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        headers: request.headers.iter().map(|(name, value)| (name.as_str(), field::trim(value.as_bytes()))),
    };
    Opening::check_extended(view, policy)
}

impl Opening {
    /// Accepts: the 101 to answer with, or the 200 to extended CONNECT, and what both ends have agreed on by it.
    ///
    /// # Errors
    ///
    /// A header of the acceptance is not one, or belongs to the handshake.
    pub fn accept_http(&self, acceptance: &Acceptance<'_>) -> Result<(Response<()>, Agreed), FieldError> {
        let (headers, agreed) = self.answer(acceptance)?;
        let mut response = Response::new(());
        *response.status_mut() =
            if self.is_extended() { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
        append(response.headers_mut(), headers.iter().map(|(name, value)| (&**name, &**value)));
        Ok((response, agreed))
    }
}

impl Refusal {
    /// The whole response.
    pub fn to_http(&self) -> Response<String> {
        let mut response = Response::new(self.body().to_owned());
        // A refusal's status is from 300 to 599.
        *response.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        append(response.headers_mut(), self.headers());
        response.headers_mut().insert(CONTENT_LENGTH, self.body().len().into());
        response
    }
}

/// Adds headers whose names and values have been checked, and which `http` takes therefore.
fn append<'a>(map: &mut HeaderMap, headers: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
}
