use serde_json::{Value, json};

use super::rig::{ask, node};

/// The replies without what differs each time.
fn short(replies: &Value) -> Value {
    let reply = |reply: &Value| match reply.get("error") {
        Some(error) => error["code"].clone(),
        None => match reply["publish"]["offset"].as_u64() {
            Some(offset) => json!({ "publish": offset }),
            None => reply.clone(),
        },
    };
    replies.as_array().unwrap().iter().map(reply).collect()
}

#[tokio::test]
async fn each_command_of_a_batch_has_its_reply() {
    let commands = json!([
        { "publish": { "channel": "kept:a", "data": 1 } },
        { "publish": { "channel": "other:a", "data": 1 } },
        { "publish": { "channel": "kept:a", "data": 2 }, "broadcast": null, "unknown": 1 },
        { "channels": {} },
        null,
        {},
        { "unknown": {} },
        { "info": {}, "channels": {} },
        { "presence_stats": { "channel": "kept:room" } },
    ]);
    let expected = json!([
        { "publish": 1 },
        102,
        { "publish": 2 },
        { "channels": { "channels": {} } },
        107,
        104,
        104,
        107,
        { "presence_stats": { "num_clients": 1, "num_users": 1 } },
    ]);
    for parallel in [json!(false), json!(true), Value::Null] {
        let body = json!({ "commands": commands, "parallel": parallel }).to_string();
        let response = ask(&node(), "batch", &body).await;
        assert_eq!(response.status, 200, "{}", response.text);
        assert_eq!(short(&response.json()["replies"]), expected, "parallel: {parallel}");
    }
    for body in ["{}", r#"{"commands":[]}"#, r#"{"commands":null}"#] {
        assert_eq!(ask(&node(), "batch", body).await.json(), json!({ "replies": [] }), "{body}");
    }
}

#[tokio::test]
async fn an_unknown_method_in_a_batch_is_not_found() {
    let response = ask(&node(), "batch", r#"{"commands":[{"unknown":{}}]}"#).await.json();
    assert_eq!(response["replies"][0]["error"]["message"], "not found");
}

#[tokio::test]
async fn nothing_of_a_batch_is_done_that_cannot_be_read() {
    let node = node();
    let body = r#"{"commands":[{"publish":{"channel":"kept:a","data":1}},{"publish":{"channel":5}}]}"#;
    let response = ask(&node, "batch", body).await;
    assert_eq!(response.status, 400);
    assert!(response.text.contains("Command 1"), "{}", response.text);
    let history = ask(&node, "history", r#"{"channel":"kept:a"}"#).await.json();
    assert_eq!(history["result"]["offset"], 0);
}

#[tokio::test]
async fn commands_in_one_request_are_limited() {
    for (count, expected) in [(1000, 200), (1001, 400)] {
        let commands = vec![json!({ "info": {} }); count];
        let batch = json!({ "commands": commands }).to_string();
        assert_eq!(ask(&node(), "batch", &batch).await.status, expected, "{count}");
        let lines = r#"{"method":"info"}"#.repeat(count);
        assert_eq!(ask(&node(), "", &lines).await.status, expected, "{count}");
    }
}

#[tokio::test]
async fn the_old_form_is_answered_line_by_line() {
    let body = r#"
        {"id":1,"method":"publish","params":{"channel":"kept:a","data":1}}
        {"id":2,"method":"PUBLISH","params":{"channel":"other:a","data":1}}
        {"method":"presence_stats","params":{"channel":"kept:room"}}{"id":3,"params":{"channel":"plain","data":1}}
        {"id":4,"method":5,"params":{"channel":"kept:room"}}
        {"id":5,"method":"unknown"} {"id":6,"method":13} {"id":7,"method":"info","params":{"x":1}}
        {"id":8,"method":"publish","params":{"channel":5}} {"id":9,"method":"channels"}
        {"id":10,"method":11,"params":{"user":"ann","channel":"plain"}}"#;
    let response = ask(&node(), "", body).await;
    assert_eq!((response.status, response.content_type.as_str()), (200, "application/json"));
    let lines: Vec<Value> = response.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short: Vec<_> = lines
        .iter()
        .map(|reply| {
            let code = reply["error"]["code"].as_u64();
            (reply["id"].as_u64(), code, reply["result"].is_object())
        })
        .collect();
    assert_eq!(
        short,
        [
            (Some(1), None, true),
            (Some(2), Some(102), false),
            (None, None, true),
            (Some(3), None, true),
            (Some(4), None, true),
            (Some(5), Some(104), false),
            (Some(6), Some(104), false),
            (Some(7), None, true),
            (Some(8), Some(107), false),
            (Some(9), None, true),
            (Some(10), None, true),
        ]
    );
    assert_eq!(lines[2]["result"], json!({ "num_clients": 1, "num_users": 1 }));
    assert_eq!(lines[4]["result"], lines[2]["result"]);
}
