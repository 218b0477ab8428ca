//! Agreeing on permessage-deflate: RFC 7692 §5 and §7.1, by the number of the rule.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::Entropy;
use antiphon_proto::deflate::{ClientWindow, DeflateConfig, Offer, Params};
use antiphon_proto::handshake::{
    Acceptance, ClientError, ClientHandshake, ClientRequest, Progress, Rule, ServerHandshake, ServerPolicy,
};

struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// A configuration that asks for nothing.
const PLAIN: DeflateConfig = DeflateConfig {
    level: 1,
    memory_level: 8,
    threshold: 0,
    no_context_takeover: false,
    peer_no_context_takeover: false,
    max_window_bits: 15,
    peer_max_window_bits: 15,
};

/// What a server answers to the value of a header, without the extension's name, and what it then does.
fn answer(offers: &str, config: &DeflateConfig) -> Option<(String, Params)> {
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n"
    );
    let policy = ServerPolicy::default();
    let Ok(Progress::Complete { value, .. }) = ServerHandshake::new(&policy).receive(head.as_bytes()) else {
        panic!("an offer is no reason to refuse: {offers}");
    };
    let accepted = value.accept(&Acceptance { deflate: Some(config), ..Acceptance::default() }).unwrap();
    let response = String::from_utf8(accepted.response).unwrap();
    let header =
        response.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: permessage-deflate"));
    assert_eq!(header.is_some(), accepted.agreed.deflate.is_some());
    Some((header?.to_owned(), accepted.agreed.deflate?))
}

fn answers(offers: &str, config: &DeflateConfig) -> Option<String> {
    answer(offers, config).map(|(header, _)| header)
}

/// What a client makes of a server's response to its offers.
fn check(offers: &[Offer], response: &str) -> Result<Params, Rule> {
    let request = ClientRequest::new("ws://a".parse().unwrap());
    let request = offers.iter().fold(request, |request, offer| request.deflate(*offer).unwrap());
    let mut client = ClientHandshake::new(request, &mut Zeros);
    // Zeros as the nonce make this Accept.
    let head = format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\
         Sec-WebSocket-Extensions: permessage-deflate{response}\r\n\r\n"
    );
    match client.receive(head.as_bytes()) {
        Ok(Progress::Complete { value, .. }) => Ok(value.agreed().deflate.unwrap()),
        Err(ClientError::Violation(violation)) => Err(violation.rule()),
        other => panic!("{other:?}"),
    }
}

/// Parameters that are wrong wherever they stand (§7.1).
const WRONG: &[&str] = &[
    "; unknown",
    "; Server_No_Context_Takeover",
    "; server_no_context_takeover=1",
    "; server_no_context_takeover=\"true\"",
    "; client_no_context_takeover=0",
    "; server_no_context_takeover; server_no_context_takeover",
    "; client_no_context_takeover; client_no_context_takeover",
    "; server_max_window_bits",
    "; server_max_window_bits=10; server_max_window_bits=10",
    "; client_max_window_bits=10; client_max_window_bits=10",
    "; server_max_window_bits=10; constructor",
];

/// Values of a window that are none: 8 to 15 without leading zeros are.
const WRONG_BITS: &[&str] = &[
    "0",
    "7",
    "16",
    "99",
    "08",
    "010",
    "-8",
    "+8",
    "8.0",
    "1",
    "1e1",
    "0x8",
    "4294967304",
    "18446744073709551624",
    "\"08\"",
    "\"16\"",
    "x",
];

#[test]
fn e62_cve_2026_2229_invalid_offers_are_declined() {
    for params in WRONG {
        assert_eq!(answers(&format!("permessage-deflate{params}"), &PLAIN), None, "{params}");
    }
    for bits in WRONG_BITS {
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            assert_eq!(answers(&format!("permessage-deflate; {name}={bits}"), &PLAIN), None, "{name}={bits}");
        }
    }
}

#[test]
fn e65_cve_2026_2229_invalid_responses_fail_the_client() {
    let offers = [Offer { client_max_window_bits: ClientWindow::Limitable, ..Offer::default() }];
    for params in WRONG {
        assert_eq!(check(&offers, params), Err(Rule::ExtensionParams), "{params}");
    }
    for bits in WRONG_BITS {
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            assert_eq!(
                check(&offers, &format!("; {name}={bits}")),
                Err(Rule::ExtensionParams),
                "{name}={bits}"
            );
        }
    }
    for response in
        ["; server_max_window_bits=1 5", "; server_max_window_bits=", "; server_max_window_bits=\"1 5\""]
    {
        assert_eq!(check(&offers, response), Err(Rule::ResponseExtensionSyntax), "{response}");
    }
    // Only an offer may leave the client's bits open.
    assert_eq!(check(&offers, "; client_max_window_bits"), Err(Rule::ExtensionParams));
}

#[test]
fn e62_valid_values() {
    for bits in 8..=15_u8 {
        for value in [format!("{bits}"), format!("\"{bits}\""), format!(" {bits} ")] {
            let (header, params) =
                answer(&format!("permessage-deflate; server_max_window_bits={value}"), &PLAIN).unwrap();
            assert_eq!(header, format!("; server_max_window_bits={bits}"));
            assert_eq!(params.server_max_window_bits, bits);
            let (header, params) =
                answer(&format!("permessage-deflate; client_max_window_bits={value}"), &PLAIN).unwrap();
            assert_eq!(header, format!("; client_max_window_bits={bits}"));
            assert_eq!(params.client_max_window_bits, bits);
        }
    }
    // Names that are special elsewhere are only unknown here; other names are other extensions.
    for offer in ["__proto__", "permessage-deflate-2", "Permessage-Deflate", "x; permessage-deflate"] {
        assert_eq!(answers(offer, &PLAIN), None, "{offer}");
    }
}

#[test]
fn e63_the_first_acceptable_offer_wins() {
    let config = DeflateConfig { peer_max_window_bits: 10, ..PLAIN };
    for (offers, expected) in [
        // Declined: unknown, malformed for the extension, not limitable.
        ("permessage-deflate", None),
        (
            "x, permessage-deflate; y, permessage-deflate; client_max_window_bits",
            Some("; client_max_window_bits=10"),
        ),
        (
            "permessage-deflate, permessage-deflate; client_max_window_bits=9, permessage-deflate; client_max_window_bits",
            Some("; client_max_window_bits=9"),
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_max_window_bits, permessage-deflate; client_max_window_bits",
            Some("; server_no_context_takeover; client_max_window_bits=10"),
        ),
    ] {
        assert_eq!(answers(offers, &config).as_deref(), expected, "{offers}");
    }
}

#[test]
fn e64_what_a_server_answers() {
    let takeover = DeflateConfig { no_context_takeover: true, ..PLAIN };
    let peers_takeover = DeflateConfig { peer_no_context_takeover: true, ..PLAIN };
    let windows = DeflateConfig { max_window_bits: 11, peer_max_window_bits: 12, ..PLAIN };
    let strange = DeflateConfig { max_window_bits: 200, peer_max_window_bits: 0, ..PLAIN };
    for (config, offer, expected) in [
        (PLAIN, "", Some("")),
        // §7.1.1.1: echoed if it was offered; the server may add it.
        (PLAIN, "; server_no_context_takeover", Some("; server_no_context_takeover")),
        (takeover, "", Some("; server_no_context_takeover")),
        // §7.1.1.2: may be demanded, offered or not.
        (PLAIN, "; client_no_context_takeover", Some("; client_no_context_takeover")),
        (peers_takeover, "", Some("; client_no_context_takeover")),
        // §7.1.2.1: at most what was offered, and named if it was.
        (
            windows,
            "; server_max_window_bits=15; client_max_window_bits",
            Some("; server_max_window_bits=11; client_max_window_bits=12"),
        ),
        (
            windows,
            "; server_max_window_bits=9; client_max_window_bits=9",
            Some("; server_max_window_bits=9; client_max_window_bits=9"),
        ),
        (
            windows,
            "; client_max_window_bits=15",
            Some("; server_max_window_bits=11; client_max_window_bits=12"),
        ),
        (PLAIN, "; server_max_window_bits=15", Some("; server_max_window_bits=15")),
        // §7.1.2.2: only if it was offered.
        (windows, "; server_max_window_bits=9", None),
        (PLAIN, "; client_max_window_bits", Some("")),
        // What a configuration cannot mean is brought within what a window can be.
        (strange, "; client_max_window_bits", Some("; client_max_window_bits=8")),
    ] {
        assert_eq!(answers(&format!("permessage-deflate{offer}"), &config).as_deref(), expected, "{offer}");
    }
    assert_eq!(answers("x", &PLAIN), None);
}

#[test]
fn e65_a_response_must_answer_an_offer() {
    let none = Offer::default();
    let takeover = Offer { server_no_context_takeover: true, ..none };
    let hint = Offer { client_no_context_takeover: true, ..none };
    let servers_window = Offer { server_max_window_bits: Some(10), ..none };
    let limitable = Offer { client_max_window_bits: ClientWindow::Limitable, ..none };
    let at_most = Offer { client_max_window_bits: ClientWindow::AtMost(10), ..none };
    let params = |server_takeover, client_takeover, server_bits, client_bits| {
        Ok(Params {
            server_no_context_takeover: server_takeover,
            client_no_context_takeover: client_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        })
    };
    let wrong = Err(Rule::ExtensionParams);
    for (offers, response, expected) in [
        (&[none][..], "", params(false, false, 15, 15)),
        (&[none], "; server_no_context_takeover; client_no_context_takeover", params(true, true, 15, 15)),
        (&[none], "; server_max_window_bits=8", params(false, false, 8, 15)),
        (&[none], "; client_max_window_bits=15", wrong),
        (&[takeover], "", wrong),
        (&[takeover], "; server_no_context_takeover", params(true, false, 15, 15)),
        // What the client has said it does, it does.
        (&[hint], "", params(false, true, 15, 15)),
        (&[servers_window], "", wrong),
        (&[servers_window], "; server_max_window_bits=11", wrong),
        (&[servers_window], "; server_max_window_bits=10", params(false, false, 10, 15)),
        (&[servers_window], "; server_max_window_bits=9", params(false, false, 9, 15)),
        (&[limitable], "", params(false, false, 15, 15)),
        (&[limitable], "; client_max_window_bits=8", params(false, false, 15, 8)),
        (&[at_most], "", params(false, false, 15, 10)),
        (&[at_most], "; client_max_window_bits=12", params(false, false, 15, 10)),
        (&[at_most], "; client_max_window_bits=9", params(false, false, 15, 9)),
        // A fallback is an offer, too.
        (&[takeover, limitable], "; client_max_window_bits=9", params(false, false, 15, 9)),
        (&[takeover, servers_window], "", wrong),
    ] {
        assert_eq!(check(offers, response), expected, "{offers:?} {response}");
    }
    assert_eq!(check(&[], ""), Err(Rule::ExtensionUnoffered));
}

#[test]
fn e64_what_a_client_offers() {
    for (config, expected) in [
        (PLAIN, "permessage-deflate; client_max_window_bits"),
        (
            DeflateConfig::default(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (
            DeflateConfig { max_window_bits: 10, peer_max_window_bits: 9, ..PLAIN },
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
        ),
    ] {
        assert_eq!(Offer::new(&config).to_string(), expected);
    }
}
