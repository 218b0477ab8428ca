//! The same over HTTP/2.

use http::Method;

use crate::h2_client::{Client, request};
use crate::rig::{PASSWORD, TOKEN, open_server};

#[tokio::test]
async fn it_is_all_the_same_over_http2() {
    let server = open_server();
    let mut client = Client::connect(server.port).await;
    let page = client.get("/admin/").await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    assert_eq!(client.get("/admin/api/nodes").await.status(), 401);

    let login = request(Method::POST, "/admin/login").header("origin", "https://localhost").body(()).unwrap();
    let answer = client.ask(login, &format!("{{\"password\": \"{PASSWORD}\"}}")).await;
    assert_eq!(answer.status(), 204);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let nodes = request(Method::GET, "/admin/api/nodes").header("cookie", cookie).body(()).unwrap();
    assert_eq!(client.ask(nodes, "").await.status(), 200);

    for (origin, status) in [("https://localhost", 200), ("https://example.com", 403)] {
        let publish = request(Method::POST, "/admin/api/channels/a/publish");
        let publish = publish.header("cookie", cookie).header("origin", origin).body(()).unwrap();
        assert_eq!(client.ask(publish, "{\"data\": 1}").await.status(), status, "{origin}");
    }
    let stats = request(Method::HEAD, "/admin/api/stats").header("authorization", format!("Bearer {TOKEN}"));
    let answer = client.ask(stats.body(()).unwrap(), "").await;
    assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, ""));
    let wrong = request(Method::PUT, "/admin/login").body(()).unwrap();
    assert_eq!(client.ask(wrong, "").await.headers()["allow"], "POST");
    assert_eq!(client.metric("antiphon_http_requests_total{route=\"admin\",status=\"204\"}").await, "1");
}
