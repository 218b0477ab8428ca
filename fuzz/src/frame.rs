//! Bytes of a peer that keeps no rule, cut in different ways: the events, the answer and the end are the same.

use antiphon_proto::{Eof, Role};

use crate::driver::{Driven, Seen, settings};
use crate::input::{Choices, pieces};

/// `limits, options, role, cut, bytes from the peer…`
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (config, params) = settings(&mut choices);
    let role = if choices.flag() { Role::Client } else { Role::Server };
    let cut = choices.byte().max(1);
    let stream = choices.0;

    let outcomes = [0, cut].map(|cut| {
        let mut driven = Driven::new(role, config.clone(), params);
        let mut answer = Vec::new();
        for piece in pieces(stream, cut) {
            driven.receive(piece);
            // Written only now and then: Pings that pile up may be answered together (§5.5.3), so the answer to each cut is
            // its own, but for the Close frame at its end.
            answer.extend(driven.write(usize::MAX));
        }
        driven.connection.handle_eof(driven.now, Eof::Clean);
        driven.receive(&[]);
        answer.extend(driven.write(usize::MAX));
        assert!(driven.closed().is_some(), "the end of the stream is the end of the connection");
        (driven.seen, answer)
    });
    let [(whole, _), (cut, _)] = &outcomes;
    assert_eq!(without_cut_chunks(whole), without_cut_chunks(cut), "how the input is cut makes a difference");
    check_answer(role, &outcomes[0].1);
}

/// A message that ends in a violation may have told more or less of its last chunk before it was found.
fn without_cut_chunks(seen: &[Seen]) -> Vec<Seen> {
    let mut seen = seen.to_vec();
    let ends_within = matches!(seen.as_slice(), [.., Seen::Chunk(_), Seen::Closed(_)]);
    if ends_within {
        seen.remove(seen.len() - 2);
    }
    seen
}

/// What was written is frames of this role's kind: control frames only, since the application sent nothing.
fn check_answer(role: Role, mut bytes: &[u8]) {
    while let [first, second, rest @ ..] = bytes {
        assert!(matches!(first, 0x88 | 0x8a), "a Pong or a Close: {first:#x}");
        assert_eq!(second & 0x80 != 0, role == Role::Client, "only a client masks");
        let length = usize::from(second & 0x7f) + if role == Role::Client { 4 } else { 0 };
        assert!(second & 0x7f <= 125 && rest.len() >= length, "the frame is whole");
        assert!(*first == 0x8a || rest.len() == length, "nothing follows a Close");
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
}
