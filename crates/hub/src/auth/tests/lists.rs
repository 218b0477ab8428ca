//! Which channels a token is for, and which tokens have been revoked.

use super::*;
use proptest::prelude::*;

#[test]
fn patterns_stop_at_the_boundary_or_do_not() {
    for (claim, channel, boundary, matches) in [
        ("news", "news", ":", true),
        ("news", "new", ":", false),
        ("news", "newsy", ":", false),
        ("news:*", "news:a", ":", true),
        ("news:*", "news:", ":", true),
        ("news:*", "news", ":", false),
        ("news:*", "news:a:b", ":", false),
        ("news:**", "news:a:b", ":", true),
        ("*", "anything", ":", true),
        ("*", "ns:any", ":", false),
        ("*", "", ":", true),
        ("**", "a:b:c", ":", true),
        ("***", "a:b:c", ":", true),
        ("*:*", "a:b", ":", true),
        ("*:*", "a:b:c", ":", false),
        ("*:**", "a:b:c", ":", true),
        ("*a*", "bab", ":", true),
        ("*a*b", "aXabab", ":", true),
        ("a*c", "a:c", ":", false),
        ("a**c", "a:c", ":", true),
        ("*", "a:b", "", true),
        ("*", "a::b", "::", false),
        ("*", "a:b", "::", true),
        ("*::x", "a::x", "::", true),
        ("*", "a:::b", "::", false),
        ("user-*", "user-é", ":", true),
        ("*é", "caf\u{e9}", ":", true),
        ("é*", "\u{1F980}", ":", false),
        ("a.c*", "abc", ":", false),
        ("[a]*", "a", ":", false),
        ("?*", "a", ":", false),
    ] {
        let claim = ChannelClaim::new(String::new(), vec![claim.into()]);
        assert_eq!(claim.matches(channel, boundary), matches, "{claim:?} {channel} {boundary:?}");
    }
}

#[test]
fn the_one_channel_is_a_name_even_with_a_star() {
    let claim = ChannelClaim::new("a*".into(), vec![]);
    assert!(claim.matches("a*", ":") && !claim.matches("ab", ":"));
    assert!(!ChannelClaim::default().matches("", ":"));
}

#[test]
fn many_stars_take_no_long_time() {
    let claim = ChannelClaim::new(String::new(), vec!["*a".repeat(30_000), format!("{}b", "*a".repeat(127))]);
    assert!(!claim.matches(&"a".repeat(255), ":"));
}

proptest! {
    /// The other way to say what a pattern is, as a regular expression.
    #[test]
    fn a_pattern_is_a_regular_expression(pattern in "[ab:*]{0,8}", channel in "[ab:]{0,8}") {
        let expression = pattern.split_inclusive('*').collect::<String>().replace("***", "**");
        let expression = regex::Regex::new(&format!("^{}$", stars(&expression))).unwrap();
        let claim = ChannelClaim { names: vec![], patterns: vec![pattern] };
        prop_assert_eq!(claim.matches(&channel, ":"), expression.is_match(&channel));
    }
}

fn stars(pattern: &str) -> String {
    let mut expression = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let stars = rest.len() - rest.trim_start_matches('*').len();
        expression.push_str(match stars {
            0 => &rest[..first.len_utf8()],
            1 => "[^:]*",
            _ => ".*",
        });
        rest = &rest[stars.max(first.len_utf8())..];
    }
    expression
}

fn revocations(limit: usize) -> (Revocations, Arc<ManualClock>) {
    let clock = clock();
    (Revocations::new(limit, clock.clone()), clock)
}

#[test]
fn what_was_issued_before_a_time_is_revoked() {
    let (revocations, clock) = revocations(10);
    revocations.revoke_user("42", NOW, NOW + 100).unwrap();
    revocations.revoke_id("token-1", NOW + 50).unwrap();
    let table = [
        ("42", "", NOW - 1, true),
        ("42", "", NOW, true),
        ("42", "", NOW + 1, false),
        ("42", "", 0, true),
        ("43", "", 0, false),
        ("", "", 0, false),
        ("43", "token-1", NOW + 1, true),
        ("42", "token-2", NOW + 1, false),
    ];
    for (user, id, issued_at, revoked) in table {
        assert_eq!(revocations.is_revoked(user, id, issued_at), revoked, "{user} {id} {issued_at}");
    }
    clock.advance(50_000);
    assert!(!revocations.is_revoked("43", "token-1", 0) && revocations.is_revoked("42", "", 0));
    clock.advance(50_000);
    assert!(!revocations.is_revoked("42", "", 0));
    assert_eq!(revocations.len(), 2);
    revocations.tick();
    assert!(revocations.is_empty());
}

#[test]
fn the_later_revocation_holds() {
    let (revocations, clock) = revocations(10);
    revocations.revoke_user("42", NOW, NOW + 100).unwrap();
    revocations.revoke_user("42", NOW - 10, NOW + 200).unwrap();
    revocations.revoke_id("id", NOW + 100).unwrap();
    revocations.revoke_id("id", NOW + 50).unwrap();
    assert_eq!(revocations.len(), 2);
    clock.advance(99_000);
    assert!(revocations.is_revoked("42", "", NOW) && revocations.is_revoked("", "id", 0));
    clock.advance(200_000);
    revocations.revoke_user("42", 5, NOW + 1000).unwrap();
    assert!(revocations.is_revoked("42", "", 5) && !revocations.is_revoked("42", "", 6));
}

#[test]
fn revocations_are_bounded() {
    let (revocations, clock) = revocations(2);
    revocations.revoke_user("1", NOW, NOW + 10).unwrap();
    revocations.revoke_id("2", NOW + 20).unwrap();
    assert!(revocations.revoke_id("3", NOW + 30).unwrap_err().contains("2 revocations"));
    assert!(revocations.revoke_user("3", NOW, NOW + 30).is_err());
    revocations.revoke_user("1", NOW + 1, NOW + 10).unwrap();
    clock.advance(10_000);
    revocations.revoke_id("3", NOW + 30).unwrap();
    assert_eq!(revocations.len(), 2);
    for (outcome, says) in [
        (revocations.revoke_user("", NOW, NOW + 30), "empty"),
        (revocations.revoke_id("", NOW + 30), "empty"),
        (revocations.revoke_id("4", NOW + 10), "in the future"),
        (revocations.revoke_user("4", NOW, 0), "in the future"),
    ] {
        assert!(outcome.unwrap_err().contains(says));
    }
}
