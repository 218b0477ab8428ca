//! What a server answers, and what it does with bytes and time around a head: §4.2.2.

use super::*;

#[test]
fn a11_accept_is_the_rfcs() {
    let text = response(&and(&[]).unwrap(), &Acceptance::default());
    assert_eq!(
        text,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    // The key is hashed as it is written: the unused bits of its last digit count.
    let other = with(3, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="]).unwrap();
    assert!(!response(&other, &Acceptance::default()).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(other.opening().key().unwrap().as_str(), "dGhlIHNhbXBsZSBub25jZR==");
}

#[test]
fn a12_each_header_once_and_a16_no_body_on_101() {
    let acceptance =
        Acceptance { headers: &[("X-A", "b"), ("Set-Cookie", "c=\u{e9}")], ..Acceptance::default() };
    let text = response(&and(&[]).unwrap(), &acceptance);
    for name in ["upgrade:", "connection:", "sec-websocket-accept:", "x-a:", "set-cookie:"] {
        assert_eq!(text.to_lowercase().matches(&format!("\r\n{name}")).count(), 1, "{name}");
    }
    assert!(!text.to_lowercase().contains("content-length"));
    assert!(text.ends_with("\r\n\r\n"));
}

#[test]
fn a12_the_caller_cannot_add_what_is_the_handshakes() {
    let request = and(&[]).unwrap();
    fn accept(request: &Request, name: &str, value: &str) -> Result<Accepted, FieldError> {
        request.accept(&Acceptance { headers: &[(name, value)], ..Acceptance::default() })
    }
    for name in ["Upgrade", "connection", "SEC-WEBSOCKET-ACCEPT", "Sec-WebSocket-Foo", "Content-Length"] {
        assert_eq!(accept(&request, name, "x").unwrap_err(), FieldError::Reserved(name.into()));
    }
    for name in ["", "a b", "a:", "a\r\nb", "\u{e9}"] {
        assert_eq!(accept(&request, name, "x").unwrap_err(), FieldError::Name(name.into()));
    }
    for byte in (0..0x20).chain([0x7f]).filter(|b| *b != b'\t') {
        let value = format!("a{}b", char::from(byte));
        assert_eq!(accept(&request, "A", &value).unwrap_err(), FieldError::Value { name: "A".into(), byte });
        assert!(Refusal::application(401, "no").with_header("A", &value).is_err());
    }
}

#[test]
fn a17_a_refusal_is_a_whole_response_and_closes() {
    let rules = Rule::ALL.iter().map(|rule| rule.status());
    let statuses: std::collections::BTreeSet<_> = rules.collect();
    assert!([400, 403, 405, 408, 414, 426, 431, 505].iter().all(|status| statuses.contains(status)));

    for refusal in [
        receive("POST / HTTP/1.1", &HEADERS).unwrap_err(),
        with(0, &["Host: \u{e9}\u{7f}".trim_end_matches('\u{7f}')]).unwrap_err(),
        with(1, &[]).unwrap_err(),
        Refusal::application(401, "who are you? \u{e9}").with_header("WWW-Authenticate", "Basic").unwrap(),
        Refusal::application(499, "rare"),
        Refusal::application(101, "no refusal"),
    ] {
        let text = String::from_utf8(refusal.to_bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {} ", refusal.status())), "{text}");
        assert!(head.contains("\r\nConnection: close"), "{text}");
        assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{text}");
        assert_eq!(body, refusal.body());
        assert!(!body.trim().is_empty());
    }
    assert_eq!(Refusal::application(101, "").status(), 500);
    let allow = receive("POST / HTTP/1.1", &HEADERS).unwrap_err();
    assert!(allow.headers().any(|header| header == ("Allow", "GET")));
    assert_eq!(
        allow.body(),
        "The method of an opening handshake is GET; found \"POST\" (RFC 6455 §4.2.1).\n"
    );
}

#[test]
fn a17_values_in_a_body_are_escaped_and_cut_short() {
    let long = format!("Host: <\"\u{e9}{}", "x".repeat(1000));
    let refusal = with(0, &[&long]).unwrap_err();
    assert!(refusal.body().len() < 300);
    assert!(refusal.body().contains(r#"found "<\"\xc3\xa9xxx"#), "{}", refusal.body());
    assert!(refusal.body().contains("\"..."));
}

#[test]
fn a18_what_follows_the_head_is_kept() {
    let policy = ServerPolicy::default();
    let head = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", HEADERS.join("\r\n"));
    let frames = b"\x81\x82\x00\x00\x00\x00hi";
    let input = [head.as_bytes(), frames].concat();
    for split in 0..=input.len() {
        let mut handshake = ServerHandshake::new(&policy);
        let (first, second) = input.split_at(split);
        let kept = match handshake.receive(first).unwrap() {
            Progress::Complete { used, .. } => [&first[used..], second].concat(),
            Progress::Incomplete => match handshake.receive(second).unwrap() {
                Progress::Complete { used, .. } => second[used..].to_vec(),
                Progress::Incomplete => panic!("it is whole"),
            },
        };
        assert_eq!(kept, frames, "split at {split}");
    }
}

#[test]
fn a19_the_connection_ends_or_stalls_before_the_head_does() {
    let policy = ServerPolicy::default();
    let mut handshake = ServerHandshake::new(&policy);
    assert!(handshake.handle_eof().is_none());
    assert!(matches!(handshake.receive(b"GET /"), Ok(Progress::Incomplete)));
    assert_eq!(handshake.handle_eof().map(|r| (r.rule(), r.status())), Some((Rule::HeadCutShort, 400)));
    assert_eq!(handshake.handle_timeout().status(), 408);
}

#[test]
fn a_handshake_can_be_used_again_and_a_failed_one_fails_again() {
    let policy = ServerPolicy::default();
    let head = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", HEADERS.join("\r\n"));
    let mut handshake = ServerHandshake::new(&policy);
    for _ in 0..2 {
        let progress = handshake.receive(head.as_bytes()).unwrap();
        assert!(matches!(progress, Progress::Complete { used, .. } if used == head.len()));
    }
    let first = handshake.receive(b"GET /\x00").unwrap_err();
    assert_eq!(handshake.receive(head.as_bytes()).unwrap_err(), first);
}
