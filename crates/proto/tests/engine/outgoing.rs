//! What this end may send, and when (§5.5, §5.6, §6.1).

use antiphon_proto::{CloseCode, Config, InvalidClose, Kind, Limits, Prepared, SendError};
use bytes::Buf;

use crate::tested::{ROLES, Tested, close_of, deflate, limits};
use crate::wire::{BINARY, BINARY_BEGINS, CONTINUES, ENDS, PING, TEXT, TEXT_BEGINS, to};

#[test]
fn c49_text_must_be_utf8() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        let conn = &mut tested.conn;
        for bad in [&b"\xFF"[..], b"\xC3", b"a\xED\xA0\x80", &[0x80; 5000]] {
            assert_eq!(conn.send_bytes(Kind::Text, bad.to_vec()), Err(SendError::InvalidUtf8));
            assert_eq!(conn.send_uncompressed(Kind::Text, bad), Err(SendError::InvalidUtf8));
        }
        conn.send_bytes(Kind::Binary, vec![0xFF]).unwrap();
        conn.send_uncompressed(Kind::Binary, b"\xFF").unwrap();
        conn.send_uncompressed(Kind::Text, "é".as_bytes()).unwrap();
        let sent: Vec<_> = tested.written().iter().map(|frame| frame.first).collect();
        assert_eq!(sent, [BINARY, BINARY, TEXT]);
    }
}

#[test]
fn c49_streamed_text_must_be_utf8() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        let conn = &mut tested.conn;
        conn.begin_message(Kind::Text, false).unwrap();
        // A character may be cut between fragments (§5.6) ...
        conn.push(b"\xE2\x82").unwrap();
        // ... but not left so, and what does not go on from there is refused however often it is tried.
        for _ in 0..6 {
            assert_eq!(conn.finish(), Err(SendError::InvalidUtf8));
            assert_eq!(conn.push(b"A"), Err(SendError::InvalidUtf8));
            assert_eq!(conn.push(b"\xE2"), Err(SendError::InvalidUtf8));
        }
        // What was refused has left no trace: the right byte is taken.
        conn.push(b"\xAC").unwrap();
        conn.finish().unwrap();
        let sent: Vec<_> = tested.written().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        let expected = [(TEXT_BEGINS, b"\xE2\x82".to_vec()), (CONTINUES, b"\xAC".to_vec()), (ENDS, vec![])];
        assert_eq!(sent, expected);
    }
}

#[test]
fn c49_close_codes_and_reasons() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            // Most codes are not worth a connection each.
            if !sendable || code % 500 < 20 {
                let mut tested = Tested::plain(role);
                let result = tested.conn.close(tested.now, CloseCode::new(code), "");
                assert_eq!(result.is_ok(), sendable, "{code}");
                assert_eq!(tested.conn.is_open(), !sendable, "{code}");
                assert_eq!(close_of(&tested.written()), sendable.then_some(code));
            }
        }
        let mut tested = Tested::plain(role);
        let long = "é".repeat(62);
        let refusal = tested.conn.close(tested.now, CloseCode::NORMAL, &long);
        assert_eq!(refusal, Err(InvalidClose::ReasonTooLong(124)));
        assert!(tested.conn.is_open());
        let mut tested = Tested::plain(role);
        tested.conn.close(tested.now, CloseCode::NORMAL, &"x".repeat(123)).unwrap();
        assert_eq!(tested.written()[0].payload.len(), 125);
    }
}

#[test]
fn c49_nothing_is_sent_after_a_close() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        tested.conn.begin_message(Kind::Binary, false).unwrap();
        tested.conn.push(b"half").unwrap();
        let now = tested.now;
        tested.conn.close(now, CloseCode::NORMAL, "").unwrap();
        assert_eq!(close_of(&tested.written()), Some(1000));
        let conn = &mut tested.conn;
        let refused = Err(SendError::Closed);
        assert_eq!(conn.send_text("a"), refused);
        assert_eq!(conn.send_binary(b"a"), refused);
        assert_eq!(conn.send_bytes(Kind::Binary, vec![1]), refused);
        assert_eq!(conn.send_uncompressed(Kind::Binary, b"a"), refused);
        assert_eq!(conn.send_prepared(&Prepared::text("a")), refused);
        assert_eq!(conn.begin_message(Kind::Text, false), refused);
        assert_eq!(conn.push(b"a"), refused);
        assert_eq!(conn.finish(), refused);
        assert_eq!(conn.ping(now, b""), refused);
        assert_eq!(conn.pong(b""), refused);
        conn.close(now, CloseCode::GOING_AWAY, "again").unwrap();
        tested.feed(&to(role, PING, b"unanswered"));
        assert_eq!(tested.wire(), b"", "§5.5.1: nothing follows a Close frame");
    }
}

#[test]
fn one_message_at_a_time() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        let conn = &mut tested.conn;
        assert_eq!(conn.push(b"a"), Err(SendError::NoMessageOpen));
        assert_eq!(conn.finish(), Err(SendError::NoMessageOpen));
        conn.begin_message(Kind::Binary, false).unwrap();
        let refused = Err(SendError::MessageOpen);
        assert_eq!(conn.begin_message(Kind::Text, false), refused);
        assert_eq!(conn.send_text("a"), refused);
        assert_eq!(conn.send_binary(b"a"), refused);
        assert_eq!(conn.send_bytes(Kind::Text, "a"), refused);
        assert_eq!(conn.send_uncompressed(Kind::Text, b"a"), refused);
        assert_eq!(conn.send_prepared(&Prepared::binary(b"a")), refused);
        conn.push(b"a").unwrap();
        // Control frames may stand between the fragments (§5.4).
        let now = tested.now;
        tested.conn.ping(now, b"p").unwrap();
        tested.conn.finish().unwrap();
        tested.conn.send_text("b").unwrap();
        let sent: Vec<_> = tested.written().iter().map(|frame| frame.first).collect();
        assert_eq!(sent, [BINARY_BEGINS, PING, ENDS, TEXT]);
    }
}

#[test]
fn a_full_outbox_refuses_what_comes_then() {
    for role in ROLES {
        let mut tested = Tested::new(role, limits(Limits { outbox: 100, ..Limits::default() }), None);
        let now = tested.now;
        let conn = &mut tested.conn;
        // One message may go beyond the limit.
        conn.send_binary(&[0; 300]).unwrap();
        let waiting = conn.outbox().len();
        let full = Err(SendError::OutboxFull { waiting, limit: 100 });
        assert_eq!(conn.send_text("a"), full);
        assert_eq!(conn.send_prepared(&Prepared::text("a")), full);
        assert_eq!(conn.begin_message(Kind::Text, false), full);
        assert_eq!(conn.ping(now, b""), full);
        assert_eq!(conn.outbox().len(), waiting);
        conn.outbox().advance(waiting - 99);
        conn.send_text("a").unwrap();
        // A Close goes out whatever waits.
        conn.send_text(&"b".repeat(100)).unwrap_err();
        conn.close(now, CloseCode::NORMAL, "").unwrap();
        assert!(conn.outbox().len() > 100);
    }
}

#[test]
fn the_driver_may_write_as_little_as_it_likes() {
    for role in ROLES {
        for params in [None, deflate(false)] {
            let send = |tested: &mut Tested| {
                tested.conn.send_bytes(Kind::Binary, vec![1; 5000]).unwrap();
                tested.conn.send_text(&"text ".repeat(100)).unwrap();
                // Incompressible: tried, and sent as it is.
                tested.conn.send_binary(&crate::tested::Keys::new(1).bytes(3000)).unwrap();
                tested.conn.send_prepared(&Prepared::binary(&[2; 4000])).unwrap();
                tested.conn.send_text("").unwrap();
            };
            let mut whole = Tested::new(role, Config::default(), params);
            send(&mut whole);
            let expected = whole.wire();
            for step in [1, 7, 4096] {
                let mut tested = Tested::new(role, Config::default(), params);
                send(&mut tested);
                let mut written = Vec::new();
                while tested.conn.outbox().has_remaining() {
                    let outbox = tested.conn.outbox();
                    let count = outbox.chunk().len().min(step);
                    assert!(count > 0, "there is something to write while anything waits");
                    written.extend_from_slice(&outbox.chunk()[..count]);
                    outbox.advance(count);
                }
                assert_eq!(written, expected);
            }
        }
    }
}

#[test]
fn a_lent_buffer_comes_back_with_its_memory() {
    let mut tested = Tested::plain(antiphon_proto::Role::Server);
    assert!(tested.conn.outbox().lend(Vec::with_capacity(10_000)).is_none());
    tested.conn.send_text("hello").unwrap();
    assert_eq!(tested.wire(), b"\x81\x05hello");
    assert_eq!(tested.conn.outbox().reclaim().capacity(), 10_000);
    // What still waits is kept.
    assert!(tested.conn.outbox().lend(Vec::with_capacity(10_000)).is_none());
    tested.conn.send_text("hello").unwrap();
    tested.conn.outbox().advance(3);
    assert!(tested.conn.outbox().reclaim().capacity() >= 10_000);
    assert!(tested.conn.outbox().lend(Vec::new()).is_some(), "not while something waits");
    tested.conn.send_text("!").unwrap();
    assert_eq!(tested.wire(), b"ello\x81\x01!");
}
