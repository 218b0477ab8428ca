//! Both sides of the opening handshake, back to back.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::Entropy;
use antiphon_proto::deflate::{DeflateConfig, Offer};
use antiphon_proto::handshake::{
    Acceptance, Agreed, ClientHandshake, ClientRequest, Progress, ServerHandshake, ServerPolicy,
};

/// Not random, and so good for tests only.
struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

/// Runs a handshake to its end; what the server and the client say was agreed.
fn run(request: ClientRequest, acceptance: &Acceptance<'_>) -> (Agreed, Agreed) {
    let mut client = ClientHandshake::new(request, &mut Counter(0));
    let policy = ServerPolicy::default();
    let mut server = ServerHandshake::new(&policy);
    let input = client.request_bytes().to_vec();
    let Ok(Progress::Complete { value: request, used }) = server.receive(&input) else {
        panic!("the server completes");
    };
    assert_eq!(used, input.len());
    let accepted = request.accept(acceptance).unwrap();
    // §4.1: what follows the response is frame data, also in the same read.
    let output = [&accepted.response[..], b"\x81\x02hi"].concat();
    let Ok(Progress::Complete { value: response, used }) = client.receive(&output) else {
        panic!("the client completes");
    };
    assert_eq!(&output[used..], b"\x81\x02hi");
    (accepted.agreed, response.agreed().clone())
}

#[test]
fn nothing_asked_nothing_agreed() {
    let request = ClientRequest::new("ws://example.com/".parse().unwrap());
    let (server, client) = run(request, &Acceptance { subprotocols: &["a"], ..Acceptance::default() });
    assert_eq!(server, Agreed::default());
    assert_eq!(client, Agreed::default());
}

#[test]
fn a13_the_servers_preference_decides() {
    let request = ClientRequest::new("ws://example.com/".parse().unwrap());
    let request = request.subprotocol("old").unwrap().subprotocol("new").unwrap();
    let acceptance = Acceptance { subprotocols: &["newest", "new", "old"], ..Acceptance::default() };
    let (server, client) = run(request, &acceptance);
    assert_eq!(server.subprotocol.as_deref(), Some("new"));
    assert_eq!(client, server);
}

#[test]
fn every_pair_of_deflate_configurations_agrees_on_the_same() {
    let all = || {
        (0..4).flat_map(|flags| {
            (8..=15).flat_map(move |own| {
                (8..=15).map(move |peers| DeflateConfig {
                    no_context_takeover: flags & 1 != 0,
                    peer_no_context_takeover: flags & 2 != 0,
                    max_window_bits: own,
                    peer_max_window_bits: peers,
                    ..DeflateConfig::default()
                })
            })
        })
    };
    for ours in all() {
        // A quarter of the pairs is enough, and different ones for each.
        for theirs in all().skip(usize::from(ours.max_window_bits) % 4).step_by(4) {
            let request = ClientRequest::new("ws://example.com/".parse().unwrap());
            let request = request.deflate(Offer::new(&ours)).unwrap();
            let (server, client) =
                run(request, &Acceptance { deflate: Some(&theirs), ..Acceptance::default() });
            assert_eq!(client, server, "{ours:?} {theirs:?}");
            let params = server.deflate.unwrap();
            assert!(params.client_max_window_bits <= ours.max_window_bits.min(theirs.peer_max_window_bits));
            assert!(params.server_max_window_bits <= theirs.max_window_bits.min(ours.peer_max_window_bits));
            let wanted = ours.no_context_takeover || theirs.peer_no_context_takeover;
            assert_eq!(params.client_no_context_takeover, wanted);
            assert_eq!(
                params.server_no_context_takeover,
                theirs.no_context_takeover || ours.peer_no_context_takeover
            );
        }
    }
}
