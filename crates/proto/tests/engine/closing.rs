//! §5.5.1 and §7: closing.

use antiphon_proto::{Cause, CloseCode, CloseTimeout, Config, Eof, Kind, Role, Side, Violation};

use crate::tested::{ROLES, Seen, Tested, close, close_of, refused, seconds, tells};
use crate::wire::{BINARY_BEGINS, CLOSE, PING, TEXT, TEXT_BEGINS, close_body, to};

fn closed(seen: &[Seen]) -> antiphon_proto::End {
    match seen {
        [.., Seen::Closed(end)] => end.clone(),
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn d50_a_body_of_nothing_or_of_a_code() {
    for role in ROLES {
        refused(|| Tested::plain(role), &to(role, CLOSE, [3]), &[], Violation::CloseBodyOfOneByte, "");
        let mut tested = Tested::plain(role);
        let end = closed(&tested.dribble(&to(role, CLOSE, b"")));
        // D52: 1005 stands for a body of nothing; it is answered with the same.
        assert_eq!(end.received, Some(close(1005, "")));
        assert_eq!(end.sent, Some(close(1005, "")));
        assert_eq!(tested.written()[0].payload, b"");
        assert!(end.is_clean());
    }
}

#[test]
fn d51_codes_on_the_wire() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let mut tested = Tested::plain(role);
            let end = closed(&tested.feed(&to(role, CLOSE, close_body(code, ""))));
            let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            if allowed {
                assert_eq!(end.received, Some(close(code, "")), "{code}");
                // D54: echoed.
                assert_eq!(close_of(&tested.written()), Some(code));
            } else {
                assert_eq!(end.cause, Cause::Violation(Violation::InvalidCloseCode(code)));
                assert_eq!(close_of(&tested.written()), Some(1002), "{code}");
            }
        }
    }
}

#[test]
fn d52_no_close_frame() {
    for role in ROLES {
        for (eof, cause) in
            [(Eof::Clean, Cause::Eof(Eof::Clean)), (Eof::Truncated, Cause::Eof(Eof::Truncated))]
        {
            for before in [&b""[..], &to(role, TEXT, b"abc")[..5], &to(role, TEXT_BEGINS, b"abc")] {
                let mut tested = Tested::plain(role);
                tested.feed(before);
                let end = closed(&tested.eof(eof));
                assert_eq!((end.cause, end.received, end.sent, end.first), (cause, None, None, None));
                assert!(tested.conn.is_done() && tested.wire().is_empty());
                assert_eq!(tested.feed(b"late"), [], "told once");
            }
        }
    }
}

#[test]
fn d53_after_our_close_messages_still_come() {
    for role in ROLES {
        let make = || {
            let mut tested = Tested::plain(role);
            tested.conn.close(tested.now, CloseCode::GOING_AWAY, "later").unwrap();
            assert_eq!(tested.written()[0].payload, close_body(1001, "later"));
            assert!(!tested.conn.is_open() && !tested.conn.is_closed() && tested.conn.end().is_none());
            tested
        };
        let input = [
            to(role, TEXT, b"on its way"),
            to(role, PING, b"?"),
            to(role, CLOSE, close_body(1001, "")),
            to(role, TEXT, b"too late"),
        ]
        .concat();
        let end = antiphon_proto::End {
            sent: Some(close(1001, "later")),
            received: Some(close(1001, "")),
            first: Some(Side::Local),
            cause: Cause::Handshake,
        };
        let expected = [Seen::Text("on its way".into()), Seen::Ping(b"?".to_vec()), Seen::Closed(end)];
        tells(make, &input, &expected, "");
        let mut tested = make();
        tested.feed(&input);
        assert_eq!(tested.wire(), b"", "no Pong, no second Close");
    }
}

#[test]
fn d53_a_violation_after_our_close_sends_no_second_one() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        tested.wire();
        let end = closed(&tested.feed(&[0xFF]));
        assert!(matches!(end.cause, Cause::Violation(_)));
        assert_eq!(end.sent, Some(close(1000, "")));
        assert_eq!(tested.wire(), b"");
        assert!(tested.conn.wants_shutdown());
    }
}

#[test]
fn d54_what_follows_the_peers_close_is_thrown_away() {
    for role in ROLES {
        let input = [
            to(role, CLOSE, close_body(3000, "done")),
            to(role, TEXT, b"ghost"),
            to(role, PING, b"ghost"),
            to(role, CLOSE, close_body(1000, "")),
            vec![0xFF; 50],
        ]
        .concat();
        let end = antiphon_proto::End {
            sent: Some(close(3000, "")),
            received: Some(close(3000, "done")),
            first: Some(Side::Peer),
            cause: Cause::Handshake,
        };
        tells(|| Tested::plain(role), &input, &[Seen::Closed(end)], "");
        let mut tested = Tested::plain(role);
        tested.feed(&input);
        // D56: no Pong after the peer's Close.
        let written = tested.written();
        assert_eq!((written.len(), close_of(&written)), (1, Some(3000)));
    }
}

#[test]
fn d55_a_close_in_the_middle_of_a_message() {
    for role in ROLES {
        // The peer's ...
        let input = [to(role, BINARY_BEGINS, b"half"), to(role, CLOSE, close_body(1000, ""))].concat();
        let mut tested = Tested::plain(role);
        assert!(closed(&tested.dribble(&input)).is_clean());
        assert_eq!(close_of(&tested.written()), Some(1000));
        // ... which ends ours as well.
        let mut tested = Tested::plain(role);
        tested.conn.begin_message(Kind::Text, false).unwrap();
        tested.conn.push(b"half").unwrap();
        assert!(closed(&tested.feed(&to(role, CLOSE, close_body(1000, "")))).is_clean());
        let written = tested.written();
        assert_eq!(written.len(), 2);
        assert_eq!(close_of(&written), Some(1000));
        assert!(tested.conn.finish().is_err());
    }
}

#[test]
fn d57_a_server_ends_the_stream_first() {
    let body = close_body(1000, "");
    for (role, shuts_down) in [(Role::Server, true), (Role::Client, false)] {
        let mut tested = Tested::plain(role);
        tested.feed(&to(role, CLOSE, &body));
        assert!(!tested.conn.wants_shutdown(), "the Close frame is not written yet");
        tested.wire();
        assert_eq!(tested.conn.wants_shutdown(), shuts_down);
        assert!(!tested.conn.is_done());
        assert_eq!(tested.conn.poll_timeout(), Some(tested.now + seconds(5)));
        tested.eof(Eof::Clean);
        assert!(tested.conn.is_done() && !tested.conn.wants_shutdown());
    }
}

#[test]
fn d57_one_budget_for_the_whole_close() {
    for role in ROLES {
        let config = || Config { close: CloseTimeout(seconds(3)), ..Config::default() };
        // The peer never answers; nor can the Close frame be written.
        let mut tested = Tested::new(role, config(), None);
        let begin = tested.now;
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        tested.later(seconds(2));
        tested.conn.handle_timeout(tested.now);
        assert!(!tested.conn.is_closed());
        let end = closed(&tested.timer());
        assert_eq!(tested.now, begin + seconds(3));
        assert_eq!((end.cause, end.sent, end.received), (Cause::CloseTimeout, Some(close(1000, "")), None));
        assert!(tested.conn.is_done() && tested.wire().is_empty());

        // The answer comes, then the peer neither reads nor ends its stream: the clock has not begun anew.
        let mut tested = Tested::new(role, config(), None);
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        tested.later(seconds(2));
        assert!(closed(&tested.feed(&to(role, CLOSE, close_body(1000, "")))).is_clean());
        assert_eq!(tested.conn.poll_timeout(), Some(begin.max(tested.now - seconds(2)) + seconds(3)));
        assert_eq!(tested.timer(), [], "told already");
        assert!(tested.conn.is_done());

        // The stream ends, but what waits cannot be written.
        let mut tested = Tested::new(role, config(), None);
        tested.conn.send_text("never read").unwrap();
        closed(&tested.eof(Eof::Clean));
        assert!(!tested.conn.is_done());
        assert_eq!(tested.timer(), []);
        assert!(tested.conn.is_done() && tested.wire().is_empty());
        assert_eq!(tested.conn.poll_timeout(), None);
    }
}

#[test]
fn d59_ends_of_the_stream_in_every_phase() {
    for role in ROLES {
        // While the answer to our Close is awaited.
        let mut tested = Tested::plain(role);
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        let end = closed(&tested.eof(Eof::Truncated));
        assert_eq!((end.cause, end.first), (Cause::Eof(Eof::Truncated), Some(Side::Local)));
        assert!(!tested.conn.is_done(), "the Close frame may still arrive: the peer has ended its side only");
        assert_eq!(close_of(&tested.written()), Some(1000));
        assert!(tested.conn.is_done());
        // A reset in each phase.
        for phase in 0..4 {
            let mut tested = Tested::plain(role);
            tested.conn.send_text("waits").unwrap();
            if phase == 1 {
                tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
            } else if phase == 2 {
                tested.feed(&to(role, CLOSE, close_body(1000, "")));
            } else if phase == 3 {
                tested.eof(Eof::Clean);
            }
            let told = tested.conn.is_closed();
            tested.conn.handle_reset(tested.now);
            let seen = tested.feed(b"");
            assert_eq!(seen.is_empty(), told, "told once");
            let cause = tested.conn.end().unwrap().cause;
            assert_eq!(cause == Cause::Reset, phase < 2, "{phase}: {cause:?}");
            assert!(tested.conn.is_done() && tested.wire().is_empty());
            assert!(!tested.conn.wants_shutdown());
            assert_eq!(tested.conn.poll_timeout(), None);
            // And again, for a driver that sees several failures.
            tested.conn.handle_reset(tested.now);
            tested.conn.handle_eof(tested.now, Eof::Clean);
            tested.conn.handle_timeout(tested.now);
            assert_eq!(tested.feed(b""), []);
        }
    }
}

#[test]
fn d54_both_close_at_once() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        tested.conn.close(tested.now, CloseCode::NORMAL, "mine").unwrap();
        let end = closed(&tested.feed(&to(role, CLOSE, close_body(4000, "yours"))));
        assert_eq!(close_of(&tested.written()), Some(1000), "exactly one");
        assert_eq!((end.sent, end.received), (Some(close(1000, "mine")), Some(close(4000, "yours"))));
        assert!(end.cause == Cause::Handshake);
    }
}

#[test]
fn d61_codes_of_a_drain() {
    for role in ROLES {
        for code in [CloseCode::GOING_AWAY, CloseCode::SERVICE_RESTART, CloseCode::TRY_AGAIN_LATER] {
            let mut tested = Tested::plain(role);
            tested.conn.close(tested.now, code, "").unwrap();
            assert_eq!(close_of(&tested.written()), Some(code.as_u16()));
        }
    }
}

#[test]
fn the_end_in_words() {
    let mut tested = Tested::plain(Role::Server);
    let debug = format!("{:?}", tested.conn);
    assert!(debug.contains("Server") && debug.contains("Open"), "{debug}");
    let end = closed(&tested.feed(&to(Role::Server, CLOSE, close_body(4001, "done"))));
    assert_eq!(end.to_string(), "closed by both sides; the peer said 4001: done; this end said 4001");
    for (cause, words) in [
        (
            Cause::Violation(Violation::MaskedFrame),
            "the peer broke a rule: a server's frame is masked (§5.1)",
        ),
        (Cause::Eof(Eof::Clean), "the peer ended the stream without a Close frame"),
        (Cause::Eof(Eof::Truncated), "the TLS stream was cut off: no Close frame and no close_notify"),
        (Cause::Reset, "the transport failed"),
        (Cause::CloseTimeout, "the closing handshake took too long"),
        (Cause::KeepAliveTimeout(seconds(8)), "the peer was silent for 8s after a Ping"),
    ] {
        assert_eq!(cause.to_string(), words);
    }
}
