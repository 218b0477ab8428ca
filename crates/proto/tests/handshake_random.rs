//! Properties of the handshake: splits do not matter, builders build one request, and nothing panics.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::Entropy;
use antiphon_proto::deflate::{ClientWindow, Offer};
use antiphon_proto::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HeadLimits, HeadScanner, OriginPolicy, Progress, Scan,
    ServerHandshake, ServerPolicy, WsUri,
};
use proptest::prelude::*;

struct Seeded(u8);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// A request that is accepted, line by line.
const REQUEST: &[&str] = &[
    "GET /a?b HTTP/1.1\r\n",
    "Host: a\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Sec-WebSocket-Key: AQEBAQEBAQEBAQEBAQEBAQ==\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Origin: http://a\r\n",
    "Sec-WebSocket-Protocol: a, b\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"9\", x\r\n",
    "\r\n",
    "\u{1}frames",
];

/// A response that is accepted by the client of these tests, and one that is a rejection.
const ACCEPTED: &[&str] = &[
    "HTTP/1.1 101 x\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Sec-WebSocket-Accept: 5tWd1XMQfqfRMZqGrwjPEgEvyeE=\r\n",
    "X: y\r\n",
    "\r\n",
    "\u{1}frames",
];
const REJECTED: &[&str] = &[
    "HTTP/1.1 403 x\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "5\r\n",
    "hello",
    "\r\n",
    "0\r\n",
    "\r\n",
];

/// The lines of a head, up to three of which are replaced by something else, repeated or left out.
fn nearly(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..8),
        2 => prop::sample::select(b"\r\n\t :;,\"\\\0a0".to_vec()).prop_map(|byte| vec![byte]),
        1 => prop::sample::select(vec!["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "HTTP/1.1 200 x\r\n"])
            .prop_map(|line| line.as_bytes().to_vec()),
        2 => prop::sample::select(lines).prop_map(|line| line.as_bytes().to_vec()),
        1 => Just(Vec::new()),
    ];
    let edits = prop::collection::vec((0..lines.len(), any::<bool>(), piece), 0..4);
    edits.prop_map(move |edits| {
        let mut pieces: Vec<_> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        for (place, replace, piece) in edits {
            pieces.splice(place..place + usize::from(replace), [piece]);
        }
        pieces.concat()
    })
}

/// Feeds pieces to a handshake; what it says in the end, and how many bytes it took of all of them.
fn feed<T, E>(
    mut receive: impl FnMut(&[u8]) -> Result<Progress<T>, E>,
    pieces: &[&[u8]],
) -> Option<Result<(T, usize), E>> {
    let mut before = 0;
    for piece in pieces {
        match receive(piece) {
            Ok(Progress::Incomplete) => before += piece.len(),
            Ok(Progress::Complete { value, used }) => return Some(Ok((value, before + used))),
            Err(error) => return Some(Err(error)),
        }
    }
    None
}

fn split(input: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = input;
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at((*size).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = more;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_split_of_a_request_gives_the_same(input in nearly(REQUEST), sizes in prop::collection::vec(1_usize..40, 1..6)) {
        let policy = ServerPolicy::default();
        let outcome = |pieces: &[&[u8]]| {
            let mut server = ServerHandshake::new(&policy);
            match feed(|piece| server.receive(piece), pieces) {
                Some(Ok((request, used))) => {
                    let headers: Vec<_> = request.headers().map(|(n, v)| (n.to_owned(), v.to_vec())).collect();
                    let response = request.accept(&Acceptance::default()).unwrap().response;
                    format!("{used} {headers:?} {response:?} {:?}", request.opening())
                }
                Some(Err(refusal)) => format!("{refusal:?}"),
                None => "incomplete".to_owned(),
            }
        };
        let pieces = split(&input, &sizes);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(outcome(&pieces), outcome(&[&input]));
    }

    #[test]
    fn any_split_of_a_response_gives_the_same(input in prop_oneof![nearly(ACCEPTED), nearly(REJECTED)], sizes in prop::collection::vec(1_usize..40, 1..6)) {
        let outcome = |pieces: &[&[u8]]| {
            let request = ClientRequest::new("ws://a".parse().unwrap()).body_limit(20);
            let mut client = ClientHandshake::new(request, &mut Seeded(1));
            format!("{:?}", feed(|piece| client.receive(piece), pieces))
        };
        let pieces = split(&input, &sizes);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(outcome(&pieces), outcome(&[&input]));
    }

    #[test]
    fn any_limits_hold(input in nearly(REQUEST), bytes in 0_usize..400, headers in 0_usize..12, line in 0_usize..40) {
        let limits = HeadLimits { bytes, headers, request_line: line };
        match HeadScanner::request(limits).scan(&input) {
            Scan::Complete { len } => {
                prop_assert!(len <= bytes);
                let text = String::from_utf8_lossy(&input[..len]).trim_start().to_owned();
                prop_assert!(text.lines().next().unwrap().len() <= line);
                prop_assert!(text.lines().count() - 2 <= headers);
            }
            Scan::Incomplete => prop_assert!(input.len() < bytes.max(1)),
            Scan::Refused(_) => {}
        }
    }

    #[test]
    fn random_bytes_do_not_panic(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let policy = ServerPolicy { origin: OriginPolicy::any(), ..ServerPolicy::default() };
        let _ = ServerHandshake::new(&policy).receive(&input);
        let request = ClientRequest::new("ws://a".parse().unwrap());
        let _ = ClientHandshake::new(request, &mut Seeded(0)).receive(&input);
        if let Ok(text) = std::str::from_utf8(&input) {
            let _ = text.parse::<WsUri>();
            let _ = OriginPolicy::listed([text]);
        }
    }

    #[test]
    fn random_values_of_headers_have_an_answer(name in 0_usize..7, value in "[ -~\\t\u{e9}]{0,40}") {
        let name = ["Host", "Origin", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions"][name];
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{name}: {value}\r\n\r\n"
        );
        let policy = ServerPolicy::default();
        match ServerHandshake::new(&policy).receive(head.as_bytes()) {
            Ok(progress) => prop_assert!(matches!(progress, Progress::Complete { .. }), "it is whole"),
            Err(refusal) => prop_assert!(matches!(refusal.status(), 400 | 403 | 426)),
        }
    }

    // Whatever the builder takes is one request and says just what was put in; what it does not take is never written.
    #[test]
    fn rustsec_2017_0002_a_built_request_is_one_request(
        tls in any::<bool>(),
        host in prop_oneof!["[a-zA-Z0-9.-]{1,12}", Just("::1".to_owned()), "\\PC{0,6}", "[\\x00-\\x7f]{0,6}"],
        port in any::<u16>(),
        resource in prop_oneof!["/[!-~]{0,12}", "[\\x00-\\x7f]{0,6}"],
        subprotocols in prop::collection::vec("[!-~]{0,4}|[\\x00-\\x7f]{0,3}", 0..3),
        headers in prop::collection::vec(("[!-~]{1,8}|[\\x00-\\x7f]{0,5}", "[ -~]{0,8}|[\\x00-\\x7f]{0,5}|\\PC{0,4}"), 0..3),
        bits in any::<u8>(),
    ) {
        let Ok(uri) = WsUri::new(tls, &host, port, &resource) else { return Ok(()) };
        let (authority, resource) = (uri.authority(), uri.resource().to_owned());
        let mut request = ClientRequest::new(uri);
        let mut offered = Vec::new();
        for token in &subprotocols {
            if let Ok(with) = request.clone().subprotocol(token) {
                request = with;
                offered.push(token.clone());
            }
        }
        let mut added = Vec::new();
        for (name, value) in &headers {
            if let Ok(with) = request.clone().header(name, value) {
                request = with;
                added.push((name.clone(), value.trim_matches([' ', '\t']).as_bytes().to_vec()));
            }
        }
        let offer = Offer { client_max_window_bits: ClientWindow::AtMost(bits), ..Offer::default() };
        let deflate = request.clone().deflate(offer);
        prop_assert_eq!(deflate.is_ok(), (8..=15).contains(&bits));
        let request = deflate.unwrap_or(request);

        let client = ClientHandshake::new(request, &mut Seeded(bits));
        let policy = ServerPolicy::default();
        let Ok(Progress::Complete { value, used }) = ServerHandshake::new(&policy).receive(client.request_bytes()) else {
            panic!("{}", client.request_bytes().escape_ascii());
        };
        prop_assert_eq!(used, client.request_bytes().len());
        prop_assert_eq!(value.target(), resource);
        prop_assert_eq!(value.opening().host(), authority);
        prop_assert_eq!(value.opening().subprotocols().collect::<Vec<_>>(), offered);
        let sent: Vec<_> = value.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        prop_assert_eq!(&sent[sent.len() - added.len()..], &added[..]);
        let ours = 5 + usize::from(value.header("sec-websocket-protocol").is_some())
            + usize::from(value.header("sec-websocket-extensions").is_some());
        prop_assert_eq!(sent.len(), ours + added.len());
    }
}
