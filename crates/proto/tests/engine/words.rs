//! What people are told: the thing, the value, the limit and the way out.

use antiphon_proto::deflate::InflateError;
use antiphon_proto::{CloseCode, InvalidClose, SendError, Violation};

#[test]
fn errors_in_words() {
    let full = SendError::OutboxFull { waiting: 200, limit: 100 };
    let code = InvalidClose::Code(CloseCode::NO_STATUS);
    for (words, expected) in [
        (SendError::Closed.to_string(), "the connection is closed"),
        (SendError::MessageOpen.to_string(), "a streamed message is open; finish it before another is sent"),
        (SendError::NoMessageOpen.to_string(), "no streamed message is open; begin one first"),
        (SendError::InvalidUtf8.to_string(), "a text message must be UTF-8; send it as binary"),
        (
            SendError::ControlTooLong(126).to_string(),
            "a control frame of 126 bytes is above the limit of 125",
        ),
        (full.to_string(), "200 bytes wait to be written, limit 100: the peer does not read"),
        (
            code.to_string(),
            "close code 1005 (no status) must not be sent; use 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 §7.4)",
        ),
        (
            InvalidClose::ReasonTooLong(124).to_string(),
            "a close reason of 124 bytes is above the limit of 123 (RFC 6455 §5.5)",
        ),
        (InflateError::Corrupt.to_string(), "the compressed payload is not valid deflate data"),
        (InflateError::Truncated.to_string(), "the compressed payload ends within a deflate block"),
        (format!("{:?}", CloseCode::new(4242)), "4242"),
    ] {
        assert_eq!(words, expected);
    }
}

#[test]
fn rules_have_their_sections_and_codes() {
    for (violation, section, code) in [
        (Violation::ReservedBits, "§5.2", 1002),
        (Violation::UnmaskedFrame, "§5.1", 1002),
        (Violation::ExpectedContinuation, "§5.4", 1002),
        (Violation::LongControl, "§5.5", 1002),
        (Violation::InvalidCloseCode(1005), "§7.4", 1002),
        (Violation::InvalidUtf8, "§8.1", 1007),
        (Violation::InvalidDeflate, "RFC 7692 §7.2.2", 1007),
        (Violation::MessageTooBig { limit: 1 }, "§10.4", 1009),
    ] {
        assert_eq!((violation.section(), violation.close_code().as_u16()), (section, code));
        assert!(violation.to_string().contains(section), "{violation}");
    }
}

#[test]
fn registered_codes_have_a_meaning() {
    assert_eq!(CloseCode::GOING_AWAY.meaning(), Some("the server goes down, or the browser leaves the page"));
    assert_eq!(CloseCode::new(1015).meaning(), None);
    assert_eq!(CloseCode::new(3000).name(), None);
}
