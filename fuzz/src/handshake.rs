//! Requests, responses, and both ends against each other: how the input is cut makes no difference, every refusal is a
//! response, and our client takes what our server answers it.

use antiphon_proto::deflate::{ClientWindow, DeflateConfig, Offer};
use antiphon_proto::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HeadLimits, OriginPolicy, Progress, Request, ServerHandshake,
    ServerPolicy, WsUri,
};

use crate::driver::Masks;
use crate::input::{Choices, pieces};

/// The lines that make a request valid, for the fuzzer to place its own among.
const REQUEST: &[u8] =
    b"Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// `way, …`
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    match choices.below(4) {
        0 => request(&mut choices, false),
        1 => request(&mut choices, true),
        2 => response(&mut choices),
        _ => both(&mut choices),
    }
}

/// `options, cut, bytes…`: a client that keeps no rule. `lines`: only lines beside the valid ones are its own.
fn request(choices: &mut Choices<'_>, lines: bool) {
    let options = choices.byte();
    let cut = choices.byte().max(1);
    let limits = if options & 1 == 0 {
        HeadLimits::default()
    } else {
        HeadLimits { bytes: 300, headers: 8, ..HeadLimits::default() }
    };
    let origin = if options & 2 == 0 { OriginPolicy::same_host() } else { OriginPolicy::any() };
    let policy = ServerPolicy { limits, origin };
    let bytes = if lines {
        [b"GET / HTTP/1.1\r\n", choices.0, REQUEST, b"\r\nframes"].concat()
    } else {
        choices.0.to_vec()
    };

    let outcomes = [0, cut].map(|cut| serve(&bytes, cut, &policy));
    assert_eq!(outcomes[0], outcomes[1], "how the input is cut makes a difference");
}

/// The response to a request, and how much of the input belongs to it; `None` while it goes on.
fn serve(bytes: &[u8], cut: u8, policy: &ServerPolicy) -> Option<(Vec<u8>, usize)> {
    let mut handshake = ServerHandshake::new(policy);
    let mut before = 0;
    for piece in pieces(bytes, cut) {
        match handshake.receive(piece) {
            Ok(Progress::Incomplete) => before += piece.len(),
            Ok(Progress::Complete { value, used }) => {
                return Some((accept(&value), before + used));
            }
            // How much was taken before a fault was found depends on the cut.
            Err(refusal) => return Some((check_refusal(&refusal.to_bytes()), 0)),
        }
    }
    if let Some(refusal) = handshake.handle_eof() {
        check_refusal(&refusal.to_bytes());
    }
    None
}

fn accept(request: &Request) -> Vec<u8> {
    assert!(request.path().starts_with('/'));
    let deflate = DeflateConfig::default();
    let acceptance =
        Acceptance { subprotocols: &["b", "a"], deflate: Some(&deflate), ..Acceptance::default() };
    let accepted = request.accept(&acceptance).expect("there is no header of ours to be wrong");
    let offered: Vec<_> = request.opening().subprotocols().collect();
    let agreed = &accepted.agreed;
    assert!(
        agreed.subprotocol.as_deref().is_none_or(|chosen| offered.contains(&chosen)),
        "what was not offered"
    );
    assert!(
        agreed.deflate.is_none() || !request.opening().deflate_offers().is_empty(),
        "what was not offered"
    );
    assert!(accepted.response.starts_with(b"HTTP/1.1 101 ") && accepted.response.ends_with(b"\r\n\r\n"));
    accepted.response
}

/// A refusal is a whole response of HTTP/1.1 with a status of the peer's or the server's fault, and says why.
fn check_refusal(bytes: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).expect("a refusal is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a refusal has a whole head");
    let status = head.strip_prefix("HTTP/1.1 ").expect("a refusal is of HTTP/1.1");
    assert!(matches!(status.as_bytes()[0], b'4' | b'5'), "{head}");
    assert!(!body.is_empty(), "a refusal says why");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    assert_eq!(length.and_then(|length| length.parse().ok()), Some(body.len()), "{head}");
    bytes.to_vec()
}

/// `options, cut, bytes…`: a server that keeps no rule.
fn response(choices: &mut Choices<'_>) {
    let options = choices.byte();
    let cut = choices.byte().max(1);
    let start: &[u8] = match options & 3 {
        0 => b"",
        1 => b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        _ => b"HTTP/1.1 403 x\r\n",
    };
    let bytes = [start, choices.0].concat();
    let outcomes = [0, cut].map(|cut| {
        let uri: WsUri = "ws://a/".parse().expect("it is a WebSocket URL");
        let request = ClientRequest::new(uri)
            .limits(HeadLimits { bytes: 2000, ..HeadLimits::default() })
            .body_limit(100);
        let mut handshake = ClientHandshake::new(request, &mut Masks(1));
        let mut before = 0;
        for piece in pieces(&bytes, cut) {
            match handshake.receive(piece) {
                Ok(Progress::Incomplete) => before += piece.len(),
                Ok(Progress::Complete { value, used }) => {
                    return (format!("{:?}", value.agreed()), before + used);
                }
                Err(error) => return (error.to_string(), 0),
            }
        }
        (handshake.handle_eof().to_string(), 0)
    });
    assert_eq!(outcomes[0], outcomes[1], "how the input is cut makes a difference");
}

/// `subprotocols, offers, acceptance…`: our client and our server agree on the same.
fn both(choices: &mut Choices<'_>) {
    let host = ["a", "127.0.0.1:81", "[::1]:9"][usize::from(choices.below(3))];
    let uri: WsUri = format!("ws://{host}/x?y").parse().expect("it is a WebSocket URL");
    let mut request = ClientRequest::new(uri);
    for name in ["a", "b", "c"].into_iter().take(usize::from(choices.below(4))) {
        request = request.subprotocol(name).expect("it is a token, and new");
    }
    for _ in 0..choices.below(4) {
        let offer = Offer {
            server_no_context_takeover: choices.flag(),
            client_no_context_takeover: choices.flag(),
            server_max_window_bits: window(choices),
            client_max_window_bits: match window(choices) {
                Some(bits) => ClientWindow::AtMost(bits),
                None if choices.flag() => ClientWindow::Limitable,
                None => ClientWindow::Fixed,
            },
        };
        let Ok(with_offer) = request.clone().deflate(offer) else { continue };
        request = with_offer;
    }
    let deflate = DeflateConfig {
        no_context_takeover: choices.flag(),
        peer_no_context_takeover: choices.flag(),
        max_window_bits: 9 + choices.below(7),
        peer_max_window_bits: 9 + choices.below(7),
        ..DeflateConfig::default()
    };
    let acceptance = Acceptance {
        subprotocols: &["c", "a"],
        deflate: choices.flag().then_some(&deflate),
        headers: &[("X-Y", "z")],
    };

    let mut client = ClientHandshake::new(request, &mut Masks(choices.byte()));
    let policy = ServerPolicy::default();
    let mut server = ServerHandshake::new(&policy);
    let Ok(Progress::Complete { value, used }) = server.receive(client.request_bytes()) else {
        panic!("our server refuses our client");
    };
    assert_eq!(used, client.request_bytes().len());
    let accepted = value.accept(&acceptance).expect("the header is valid");
    match client.receive(&accepted.response) {
        Ok(Progress::Complete { value, used }) => {
            assert_eq!(used, accepted.response.len());
            assert_eq!(*value.agreed(), accepted.agreed, "the two have not agreed on the same");
        }
        other => panic!("our client refuses our server: {other:?}"),
    }
}

fn window(choices: &mut Choices<'_>) -> Option<u8> {
    let bits = choices.below(9);
    (bits > 0).then_some(7 + bits)
}
