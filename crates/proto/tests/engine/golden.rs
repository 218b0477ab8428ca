//! The frames of `spec/cases/frames.json`, which the tests of other languages read too.

use antiphon_proto::{Cause, Config, Delivery, Kind, Limits, Role};
use serde_json::Value;

use crate::tested::{Seen, Tested, cuts, deflate};

const CASES: &str = include_str!("../../../../spec/cases/frames.json");

fn hex(value: &Value) -> Vec<u8> {
    let text: String = value.as_str().expect("hex").split_whitespace().collect();
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn tested(case: &Value) -> Tested {
    let role = match case["role"].as_str() {
        Some("server") => Role::Server,
        Some("client") => Role::Client,
        other => panic!("role {other:?}"),
    };
    let config = &case["config"];
    let mut limits = Limits::default();
    let mut delivery = Delivery::Assembled;
    let mut params = None;
    for (name, value) in config.as_object().expect("a config") {
        match name.as_str() {
            "frame" => limits.frame = value.as_u64().unwrap(),
            "message" => limits.message = value.as_u64().unwrap(),
            "fragments" => limits.fragments = value.as_u64().unwrap() as u32,
            "streamed" => delivery = if value == true { Delivery::Streamed } else { Delivery::Assembled },
            "deflate" => params = deflate(value == "takeover"),
            other => panic!("unknown: {other}"),
        }
    }
    Tested::new(role, Config { limits, delivery, ..Config::default() }, params)
}

/// What was seen, in the terms of the file.
fn told(seen: &[Seen]) -> Vec<Value> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let event = |seen: &Seen| match seen {
        Seen::Text(text) => serde_json::json!({ "text": text }),
        Seen::Binary(bytes) => serde_json::json!({ "binary": hex(bytes) }),
        Seen::Begin(Kind::Text) => serde_json::json!({ "begin": "text" }),
        Seen::Begin(Kind::Binary) => serde_json::json!({ "begin": "binary" }),
        Seen::Chunk(bytes) => serde_json::json!({ "chunk": hex(bytes) }),
        Seen::End => serde_json::json!("end"),
        Seen::Ping(bytes) => serde_json::json!({ "ping": hex(bytes) }),
        Seen::Pong(bytes, _) => serde_json::json!({ "pong": hex(bytes) }),
        Seen::Closed(end) => match (&end.received, end.cause) {
            (Some(close), Cause::Handshake) => {
                serde_json::json!({ "close": { "code": close.code.as_u16(), "reason": close.reason } })
            }
            _ => serde_json::json!({ "fail": end.sent.as_ref().map(|sent| sent.code.as_u16()) }),
        },
    };
    seen.iter().map(event).collect()
}

#[test]
fn every_golden_frame() {
    let file: Value = serde_json::from_str(CASES).expect("JSON");
    let cases = file["cases"].as_array().expect("a list");
    assert!(cases.len() >= 80, "{}", cases.len());
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let input = hex(&case["input"]);
        let expected = case["events"].as_array().expect("events");
        // Chunks depend on how the input is cut; all else does not.
        let all = if case["config"]["streamed"] == true { vec![vec![]] } else { cuts(input.len()) };
        for cut in all {
            let mut tested = tested(case);
            let seen = tested.feed_cut(&input, &cut);
            assert_eq!(told(&seen), *expected, "{name}, cut at {cut:?}");
            // A client's masks are its own: only what is in its frames can be foretold.
            let answers: Vec<_> =
                tested.written().iter().map(|frame| (frame.first, frame.payload.clone())).collect();
            if let Some(written) = case.get("written") {
                let frames = written.as_array().expect("frames").iter();
                let expected: Vec<_> =
                    frames.map(|frame| (hex(&frame["first"])[0], hex(&frame["payload"]))).collect();
                assert_eq!(answers, expected, "{name}");
            }
        }
    }
}
