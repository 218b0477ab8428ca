use super::rig::{ask_with, node};
use crate::api::Access;

#[tokio::test]
async fn whoever_shows_the_key_is_let_in() {
    let keyed = Access::new("s3cret+", false);
    let closed = Access::new("", false);
    for (access, query, headers, expected) in [
        (&keyed, "", &[][..], 401),
        (&keyed, "", &[("x-api-key", "s3cret+")], 200),
        (&keyed, "", &[("x-api-key", "s3cret")], 401),
        (&keyed, "", &[("x-api-key", "")], 401),
        (&keyed, "", &[("authorization", "apikey s3cret+")], 200),
        (&keyed, "", &[("authorization", "APIKEY  s3cret+ ")], 200),
        (&keyed, "", &[("authorization", "apikey other")], 401),
        (&keyed, "", &[("authorization", "Bearer s3cret+")], 401),
        (&keyed, "", &[("authorization", "s3cret+")], 401),
        (&keyed, "?api_key=s3cret%2B", &[], 200),
        (&keyed, "?a=b&api_key=s3cret%2B&c", &[], 200),
        (&keyed, "?api_key=s3cret", &[], 401),
        (&keyed, "?xapi_key=s3cret%2B", &[], 401),
        // A key is proof enough, whatever page it comes from.
        (&keyed, "", &[("x-api-key", "s3cret+"), ("origin", "https://elsewhere.example")], 200),
        (&closed, "", &[], 401),
        (&closed, "", &[("x-api-key", "")], 401),
        (&closed, "?api_key=", &[], 401),
    ] {
        let response = ask_with(&node(), access, &format!("/api/info{query}"), headers, "{}").await;
        assert_eq!(response.status, expected, "{query} {headers:?}: {}", response.text);
    }
}

#[tokio::test]
async fn without_a_key_no_page_of_another_origin_is_let_in() {
    let open = Access::new("", true);
    let host = ("host", "127.0.0.1:8000");
    for (headers, expected) in [
        (&[host][..], 200),
        (&[host, ("origin", "http://127.0.0.1:8000")], 200),
        (&[("host", "Example.com"), ("origin", "https://example.com")], 200),
        (&[host, ("origin", "http://127.0.0.1:8001")], 403),
        (&[host, ("origin", "https://elsewhere.example")], 403),
        (&[host, ("origin", "null")], 403),
        (&[host, ("origin", "")], 403),
        (&[("origin", "http://")], 403),
    ] {
        let response = ask_with(&node(), &open, "/api/info", headers, "{}").await;
        assert_eq!(response.status, expected, "{headers:?}: {}", response.text);
    }
}
