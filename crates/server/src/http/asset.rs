//! Embedded files as responses.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::assets::Asset;

/// The response to a `GET` of a file.
pub(crate) fn response(asset: &Asset, request: &HeaderMap) -> Response<Full<Bytes>> {
    let fresh = request.get_all(IF_NONE_MATCH).iter().any(|tags| lists(tags.as_bytes(), asset.etag));
    let gzip = asset.gzip.filter(|_| takes_gzip(request));
    let mut response = Response::builder()
        .header(ETAG, asset.etag)
        .header(CACHE_CONTROL, asset.cache_control)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    if asset.gzip.is_some() {
        response = response.header(VARY, "Accept-Encoding");
    }
    let body = if fresh {
        response = response.status(StatusCode::NOT_MODIFIED);
        &[]
    } else {
        response = response.header(CONTENT_TYPE, asset.content_type);
        if gzip.is_some() {
            response = response.header(CONTENT_ENCODING, "gzip");
        }
        gzip.unwrap_or(asset.body)
    };
    // Every header above is a constant or embedded at build time.
    response.body(Full::new(Bytes::from_static(body))).unwrap_or_default()
}

/// Whether a list of entity tags has this one (RFC 9110 §13.1.2).
fn lists(tags: &[u8], tag: &str) -> bool {
    let weak = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_owned();
    let mut tags = tags.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|other| other == b"*" || weak(other) == weak(tag.as_bytes()))
}

/// Whether gzip may be answered with (RFC 9110 §12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        content_type: "text/html",
        body: b"plain",
        gzip: Some(b"small"),
        etag: "W/\"1\"",
        cache_control: "no-cache",
    };

    fn get(headers: &[(hyper::header::HeaderName, &'static str)]) -> (u16, bool) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let response = response(&ASSET, &headers);
        (response.status().as_u16(), response.headers().contains_key(CONTENT_ENCODING))
    }

    #[test]
    fn a_browser_gets_what_it_takes_and_lacks() {
        assert_eq!(get(&[]), (200, false));
        assert_eq!(get(&[(ACCEPT_ENCODING, "br, gzip")]), (200, true));
        assert_eq!(get(&[(ACCEPT_ENCODING, "GZIP;q=0.5")]), (200, true));
        assert_eq!(get(&[(ACCEPT_ENCODING, "gzip;q=0")]), (200, false));
        assert_eq!(get(&[(ACCEPT_ENCODING, "xgzip")]), (200, false));
        assert_eq!(get(&[(IF_NONE_MATCH, "\"0\", W/\"1\"")]), (304, false));
        assert_eq!(get(&[(IF_NONE_MATCH, "\"1\"")]), (304, false));
        assert_eq!(get(&[(IF_NONE_MATCH, "\"2\"")]), (200, false));
    }
}
