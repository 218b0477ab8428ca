use serde_json::json;

use super::rig::{NOW, ask, ask_with, node};
use crate::api::Access;

#[tokio::test]
async fn each_method_answers_as_centrifugo_does() {
    let node = node();
    let epoch = ask(&node, "history", r#"{"channel":"kept:a"}"#).await.json()["result"]["epoch"].clone();
    let other = ask(&node, "history", r#"{"channel":"kept:b"}"#).await.json()["result"]["epoch"].clone();
    let uid = ask(&node, "info", "{}").await.json()["result"]["nodes"][0]["uid"].clone();
    let since =
        json!({ "channel": "kept:a", "since": { "offset": 1, "epoch": epoch }, "limit": 10 }).to_string();
    let later = NOW + 60;
    let revoke = format!(r#"{{"uid":"t1","expire_at":{later}}}"#);
    for (method, body, expected) in [
        ("publish", r#"{"channel":"plain","data":{"a":1}}"#, json!({ "result": {} })),
        (
            "publish",
            r#"{"channel":"kept:a","data":null}"#,
            json!({ "result": { "offset": 1, "epoch": epoch } }),
        ),
        (
            "publish",
            r#"{"channel":"kept:a","data":{"a":1},"tags":{"b":"c"},"b64data":"","unknown":[1]}"#,
            json!({ "result": { "offset": 2, "epoch": epoch } }),
        ),
        (
            "publish",
            r#"{"channel":"kept:a","b64data":"AP8=","tags":null,"version":null}"#,
            json!({ "result": { "offset": 3, "epoch": epoch } }),
        ),
        ("publish", r#"{"channel":"kept:a","data":1,"skip_history":true}"#, json!({ "result": {} })),
        (
            "broadcast",
            r#"{"channels":["kept:b","plain"],"data":1}"#,
            json!({ "result": { "responses": [{ "result": { "offset": 1, "epoch": other } }, { "result": {} }] } }),
        ),
        ("broadcast", r#"{"pattern":"kept:*","data":1}"#, json!({ "result": { "responses": [] } })),
        (
            "history",
            since.as_str(),
            json!({ "result": {
                "publications": [
                    { "data": { "a": 1 }, "offset": 2, "tags": { "b": "c" }, "time": NOW * 1000 },
                    { "data": "AP8=", "offset": 3, "time": NOW * 1000 },
                ],
                "offset": 3,
                "epoch": epoch,
            } }),
        ),
        (
            "history",
            r#"{"channel":"kept:a","limit":-1,"reverse":true,"since":{"offset":2}}"#,
            json!({ "result": {
                "publications": [{ "data": null, "offset": 1, "time": NOW * 1000 }],
                "offset": 3,
                "epoch": epoch,
            } }),
        ),
        (
            "history",
            r#"{"channel":"kept:a"}"#,
            json!({ "result": { "publications": [], "offset": 3, "epoch": epoch } }),
        ),
        ("history_remove", r#"{"channel":"kept:a"}"#, json!({ "result": {} })),
        (
            "presence",
            r#"{"channel":"kept:room"}"#,
            json!({ "result": { "presence": {
                "c1": { "user": "ann", "client": "c1", "conn_info": { "name": "Ann" } },
            } } }),
        ),
        ("presence", r#"{"channel":"kept:empty"}"#, json!({ "result": { "presence": {} } })),
        (
            "presence_stats",
            r#"{"channel":"kept:room"}"#,
            json!({ "result": { "num_clients": 1, "num_users": 1 } }),
        ),
        ("channels", "", json!({ "result": { "channels": {} } })),
        ("channels", r#"{"pattern":"kept:*"}"#, json!({ "result": { "channels": {} } })),
        (
            "info",
            "",
            json!({ "result": { "nodes": [{
                "uid": uid, "name": "here", "version": "1.2.3", "num_clients": 0, "num_users": 0, "num_subs": 0,
                "num_channels": 0, "uptime": 0,
            }] } }),
        ),
        (
            "subscribe",
            r#"{"user":"ann","channel":"kept:a","info":{"x":1},"b64data":"AA==","client":"","session":"",
                "recover_since":{"offset":1},"override":{"presence":{"value":false}}}"#,
            json!({ "result": {} }),
        ),
        ("unsubscribe", r#"{"user":"ann","channel":"kept:a"}"#, json!({ "result": {} })),
        ("unsubscribe", r#"{"client":"c1"}"#, json!({ "result": {} })),
        ("disconnect", r#"{"user":"ann","whitelist":["c1"]}"#, json!({ "result": {} })),
        ("disconnect", r#"{"user":"","disconnect":{"code":4000,"reason":"bye"}}"#, json!({ "result": {} })),
        ("refresh", r#"{"user":"ann","expire_at":1700000060,"info":{}}"#, json!({ "result": {} })),
        ("revoke_token", revoke.as_str(), json!({ "result": {} })),
        ("invalidate_user_tokens", r#"{"user":"ann","issued_before":1700000000}"#, json!({ "result": {} })),
    ] {
        let response = ask(&node, method, body).await;
        assert_eq!(response.status, 200, "{method} {body}: {}", response.text);
        assert_eq!(response.json(), expected, "{method} {body}");
    }
    assert!(node.revocations().is_revoked("bob", "t1", NOW));
    assert!(node.revocations().is_revoked("ann", "", NOW - 1), "issued before");
    assert!(!node.revocations().is_revoked("ann", "", NOW), "not issued before");
}

#[tokio::test]
async fn a_command_that_fails_says_why() {
    let node = node();
    for (method, body, code, message, status) in [
        ("publish", r#"{"data":1}"#, 107, "bad request", 400),
        ("publish", r#"{"channel":"kept:a"}"#, 107, "bad request", 400),
        ("publish", r#"{"channel":"kept:a","b64data":"A"}"#, 107, "bad request", 400),
        ("publish", r#"{"channel":"other:a","data":1}"#, 102, "unknown channel", 404),
        ("broadcast", r#"{"data":1}"#, 107, "bad request", 400),
        ("broadcast", r#"{"channels":["a"],"pattern":"*","data":1}"#, 107, "bad request", 400),
        ("broadcast", r#"{"pattern":"[","data":1}"#, 107, "bad request", 400),
        ("subscribe", r#"{"channel":"a"}"#, 107, "bad request", 400),
        ("subscribe", r#"{"user":"ann"}"#, 107, "bad request", 400),
        ("subscribe", r#"{"user":"ann","channel":"a","b64info":"?"}"#, 107, "bad request", 400),
        ("unsubscribe", r#"{"channel":"a"}"#, 107, "bad request", 400),
        ("unsubscribe", r#"{"user":"ann","session":"s"}"#, 108, "not available", 400),
        ("disconnect", "{}", 107, "bad request", 400),
        ("disconnect", r#"{"user":"","all_users":true}"#, 108, "not available", 400),
        ("disconnect", r#"{"user":"ann","label_filter":{"op":"eq"}}"#, 108, "not available", 400),
        ("disconnect", r#"{"user":"ann","disconnect":{}}"#, 107, "bad request", 400),
        ("refresh", r#"{"expired":true}"#, 107, "bad request", 400),
        ("presence", r#"{"channel":"plain"}"#, 108, "not available", 400),
        ("presence_stats", "{}", 107, "bad request", 400),
        ("history", r#"{"channel":"plain"}"#, 108, "not available", 400),
        ("history", r#"{"channel":"kept:a","since":{"epoch":"x"}}"#, 112, "unrecoverable position", 416),
        ("history_remove", r#"{"channel":"plain"}"#, 108, "not available", 400),
        ("channels", r#"{"pattern":"{"}"#, 107, "bad request", 400),
        ("revoke_token", "{}", 107, "bad request", 400),
        ("invalidate_user_tokens", r#"{"user":"ann","channel":"a"}"#, 108, "not available", 400),
    ] {
        let response = ask(&node, method, body).await;
        assert_eq!(response.status, 200, "{method} {body}");
        let mut reply = response.json();
        let error = reply["error"].take();
        assert_eq!((&error["code"], &error["message"]), (&json!(code), &json!(message)), "{method} {body}");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{method} {body}: {error}");
        let mode = [("X-Centrifugo-Error-Mode", "transport")];
        let response = ask_with(&node, &Access::new("", true), &format!("/api/{method}"), &mode, body).await;
        assert_eq!((response.status, response.json()), (status, error), "{method} {body}");
    }
}

#[tokio::test]
async fn what_is_no_command_is_a_bad_request() {
    let node = node();
    for (method, body, status, says) in [
        ("publish", "{\"channel\":\n  }", 400, "line 2 column 3"),
        (
            "publish",
            r#"{"channel":5}"#,
            400,
            "invalid type: integer `5`, expected a string at line 1 column 12",
        ),
        ("publish", "[]", 400, "publish request"),
        ("publish", r#"{"channel":"a","data":{"b":}}"#, 400, "column 28"),
        ("publish", r#"{"channel":"a","data":1} x"#, 400, "trailing characters"),
        ("publish", "\u{1}", 400, "line 1 column 1"),
        ("publish", "", 200, "107"),
        ("disconnect", r#"{"user":42}"#, 400, "expected a string at line 1 column 10"),
        ("refresh", r#"{"user":"ann","expire_at":-1}"#, 400, "integer `-1`, expected u64"),
        ("batch", r#"{"commands":{}}"#, 400, "batch request"),
        ("", "", 400, "empty"),
        ("", "{", 400, "line 1 column 1"),
        ("rpc", "{}", 404, "there is no method \"rpc\"; there are publish, "),
        ("map_publish", "{}", 404, "invalidate_user_tokens, batch"),
    ] {
        let response = ask(&node, method, body).await;
        assert_eq!(response.status, status, "{method} {body:?}: {}", response.text);
        assert!(response.text.contains(says), "{method} {body:?}: {}", response.text);
    }
}
