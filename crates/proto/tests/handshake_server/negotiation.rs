//! Subprotocols and extensions: §4.2.2, §9.1; and lists that have broken other servers.

use super::*;

#[test]
fn a13_subprotocol_is_one_of_both() {
    let request = and(&["Sec-WebSocket-Protocol: a, b,c"]).unwrap();
    for (spoken, expected) in [
        (&["b"][..], Some("b")),
        (&["x", "c", "a"], Some("c")),
        (&["A"], None),
        (&[], None),
        (&["a, b"], None),
    ] {
        let accepted = request.accept(&Acceptance { subprotocols: spoken, ..Acceptance::default() }).unwrap();
        assert_eq!(accepted.agreed.subprotocol.as_deref(), expected);
        let text = String::from_utf8(accepted.response).unwrap();
        match expected {
            Some(token) => assert!(text.contains(&format!("\r\nSec-WebSocket-Protocol: {token}\r\n"))),
            None => assert!(!text.contains("Protocol:")),
        }
    }
}

#[test]
fn a14_offered_subprotocols() {
    let offered = |lines: &[&str]| -> Result<Vec<String>, Rule> {
        let request = and(lines).map_err(|refusal| refusal.rule())?;
        Ok(request.opening().subprotocols().map(str::to_owned).collect())
    };
    let ok = |tokens: &[&str]| Ok(tokens.iter().map(|&t| t.to_owned()).collect());
    assert_eq!(offered(&[]), ok(&[]));
    assert_eq!(
        offered(&["Sec-WebSocket-Protocol: b", "sec-websocket-protocol: a , c"]),
        ok(&["b", "a", "c"])
    );
    assert_eq!(offered(&["Sec-WebSocket-Protocol: ,, a,"]), ok(&["a"]));
    assert_eq!(offered(&["Sec-WebSocket-Protocol: a, A"]), ok(&["a", "A"]));
    // Names that are special elsewhere are only names here.
    assert_eq!(
        offered(&["Sec-WebSocket-Protocol: constructor, __proto__"]),
        ok(&["constructor", "__proto__"])
    );
    for list in ["", ",", ", ,"] {
        assert_eq!(offered(&[&format!("Sec-WebSocket-Protocol: {list}")]), ok(&[]), "{list}");
    }
    for list in ["a b", "a/b", "\"a\"", "a;b", "a, \u{e9}", "a=b", "a\tb"] {
        let line = format!("Sec-WebSocket-Protocol: {list}");
        assert_eq!(offered(&[&line]), Err(Rule::SubprotocolSyntax), "{list}");
    }
    assert_eq!(offered(&["Sec-WebSocket-Protocol: a, b, a"]), Err(Rule::SubprotocolRepeated));
    assert_eq!(
        offered(&["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"]),
        Err(Rule::SubprotocolRepeated)
    );
}

#[test]
fn a15_unknown_extensions_are_passed_over() {
    let request = and(&[
        "Sec-WebSocket-Extensions: x-webkit-deflate-frame, foo; a=\"b\\c\"; d",
        "Sec-WebSocket-Extensions: e",
    ])
    .unwrap();
    let extensions: Vec<_> = request.extensions().collect();
    assert_eq!(
        extensions.iter().map(|e| e.name()).collect::<Vec<_>>(),
        ["x-webkit-deflate-frame", "foo", "e"]
    );
    let params: Vec<_> = extensions[1].params().collect();
    assert_eq!(params, [("a", Some("bc".into())), ("d", None)]);
    assert!(!response(&request, &Acceptance::default()).contains("Extensions"));
}

#[test]
fn a15_malformed_extensions_are_refused() {
    for list in [
        "",
        ",",
        ";",
        "a;",
        "a; ",
        "a;;b",
        "a b",
        "a; b=",
        "a; b=\"",
        "a; b=\"c",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a; b=\"c\\",
        "a; b=\"\\\"\"",
        "a; b c",
        "a; =c",
        "\"a\"",
        "a=b",
        "a; b=c=d",
        "a; b=\u{e9}",
        "\u{e9}",
        "a; b=\"c\"d",
        "a, b;",
        "a/b",
    ] {
        let result = and(&[&format!("Sec-WebSocket-Extensions: {list}")]);
        assert_eq!(refused(result), (Rule::ExtensionSyntax, 400), "{list}");
    }
    for list in ["a;b", " a ;\tb = c ,, d", "a;b=\"c\",d;e=\"\\f\\g\"", ",a"] {
        assert_eq!(rule(and(&[&format!("Sec-WebSocket-Extensions: {list}")])), None, "{list}");
    }
}

#[test]
fn granian_and_cve_2026_14631_every_byte_in_every_header() {
    let names = [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Origin",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "X-Other",
    ];
    let policy = ServerPolicy::default();
    for (place, name) in names.iter().enumerate() {
        for byte in 0..=255 {
            for value in [vec![byte], vec![b'a', byte, b'b'], vec![b'h', b':', b'/', b'/', byte]] {
                let mut head = b"GET / HTTP/1.1\r\n".to_vec();
                for (at, header) in HEADERS.iter().enumerate() {
                    if at != place {
                        head.extend(format!("{header}\r\n").bytes());
                    }
                }
                head.extend(format!("{name}: ").bytes());
                head.extend(&value);
                head.extend(b"\r\n\r\n");
                // What is accepted can be looked at and answered; what is not has an answer, too.
                match ServerHandshake::new(&policy).receive(&head) {
                    Ok(Progress::Complete { value: request, .. }) => {
                        request.extensions().for_each(drop);
                        assert!(request.accept(&Acceptance::default()).is_ok());
                    }
                    Ok(Progress::Incomplete) => panic!("{}", head.escape_ascii()),
                    Err(refusal) => assert!(refusal.to_bytes().starts_with(b"HTTP/1.1 4")),
                }
            }
        }
    }
}

#[test]
fn cve_2021_32640_lists_of_separators_are_linear() {
    let limits = antiphon_proto::handshake::HeadLimits { bytes: 1 << 20, headers: 100, request_line: 8192 };
    let policy = ServerPolicy { limits, ..ServerPolicy::default() };
    let units = [
        ",",
        ";",
        "\"",
        "\\",
        " ",
        "\t",
        "a,",
        "a;",
        ";a",
        "a;b=\"\\",
        "a;b=\"\\c\",",
        "=",
        "a;b=",
        " ,",
        "a ",
    ];
    for name in
        ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Upgrade", "Connection", "Origin", "X-Other"]
    {
        for unit in units {
            // At 64 KiB a quadratic parser takes minutes for all of these.
            let value = unit.repeat((64 << 10) / unit.len());
            let head = format!("GET / HTTP/1.1\r\n{}\r\n{name}: {value}x\r\n\r\n", HEADERS.join("\r\n"));
            match ServerHandshake::new(&policy).receive(head.as_bytes()) {
                Ok(progress) => assert!(matches!(progress, Progress::Complete { .. })),
                Err(refusal) => assert!(matches!(refusal.status(), 400 | 403)),
            }
        }
    }
}
