use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command as Tool};

/// A follower, as the command line makes it.
fn follower(arguments: &str) -> Follower {
    let words = ["antiphon", "sub"].into_iter().chain(arguments.split_whitespace());
    let Tool::Sub(args) = Cli::try_parse_from(words).unwrap().command else { panic!("another command") };
    Follower::new(&args)
}

/// What it does, each on a line: `>` sends, `=` prints, `!` tells.
fn output(follower: &mut Follower) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(output) = follower.poll_output() {
        all.push(match output {
            Output::Send(message) => format!("> {message}"),
            Output::Print(line) => format!("= {line}"),
            Output::Tell(what) => format!("! {what}"),
        });
    }
    all
}

/// Opens a connection and answers `connect`. Gives what is sent then.
fn connect(follower: &mut Follower) -> Vec<String> {
    follower.handle_open();
    assert!(output(follower)[0].starts_with(r#"> {"id":1,"connect":{"#));
    hear(follower, r#"{"id":1,"connect":{"client":"c","ping":25,"pong":true}}"#)
}

fn hear(follower: &mut Follower, message: &str) -> Vec<String> {
    assert_eq!(follower.handle_message(message), Ok(()));
    output(follower)
}

const SUBSCRIBED: &str =
    r#"{"id":2,"subscribe":{"recoverable":true,"positioned":true,"epoch":"e","offset":3}}"#;

#[test]
fn publications_are_printed_with_their_place() {
    let mut follower = follower("a b --token t --sub-token s");
    let sent = connect(&mut follower);
    let expected = concat!(
        r#"> {"id":2,"subscribe":{"channel":"a","token":"s","positioned":true,"recoverable":true}}"#,
        "\n",
        r#"{"id":4,"subscribe":{"channel":"b","token":"s","positioned":true,"recoverable":true}}"#,
    );
    assert_eq!(sent, [expected]);
    assert_eq!(follower.patience(), Some(Duration::from_secs(35)));
    assert!(!follower.is_settled());
    assert!(hear(&mut follower, &format!("{SUBSCRIBED}\n{{\"id\":4,\"subscribe\":{{}}}}")).is_empty());
    assert!(follower.is_settled());
    let came = concat!(
        r#"{"push":{"channel":"a","pub":{"data":{"n":1},"offset":4,"tags":{"k":"v"}}}}"#,
        "\n{}\n",
        r#"{"push":{"channel":"b","pub":{"data":"x"}}}"#,
        "\n",
        r#"{"push":{"channel":"other","pub":{"data":1}}}"#,
    );
    assert_eq!(
        hear(&mut follower, came),
        [
            r#"= {"channel":"a","offset":4,"epoch":"e","data":{"n":1},"tags":{"k":"v"}}"#,
            "> {}",
            r#"= {"channel":"b","offset":0,"data":"x"}"#,
        ]
    );
}

#[test]
fn the_place_in_a_channel_outlives_the_connection() {
    let mut follower = follower("a");
    connect(&mut follower);
    hear(&mut follower, SUBSCRIBED);
    hear(&mut follower, r#"{"push":{"channel":"a","pub":{"data":1,"offset":4}}}"#);
    for (offset, recovered) in [(4, true), (6, false)] {
        let sent = connect(&mut follower).concat();
        let asked = format!(r#""recover":true,"epoch":"e","offset":{offset},"#);
        assert!(sent.contains(&asked), "{sent}");
        let answer =
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":6,"was_recovering":true"#;
        if recovered {
            let missed =
                r#","recovered":true,"publications":[{"data":2,"offset":5},{"data":3,"offset":6}]}}"#;
            let printed = hear(&mut follower, &format!("{answer}{missed}"));
            assert_eq!(
                printed,
                [5, 6].map(|n| format!(r#"= {{"channel":"a","offset":{n},"epoch":"e","data":{}}}"#, n - 3))
            );
        } else {
            let told = hear(&mut follower, &format!("{answer}}}}}"));
            assert_eq!(told, ["! a: missed publications: not all after offset 6 can be recovered"]);
        }
    }
}

#[test]
fn what_no_history_can_give_again_is_told() {
    let mut follower = follower("a");
    connect(&mut follower);
    assert!(hear(&mut follower, r#"{"id":2,"subscribe":{}}"#).is_empty());
    let sent = connect(&mut follower).concat();
    assert!(!sent.contains("recover\":"), "{sent}");
    let told = hear(&mut follower, r#"{"id":2,"subscribe":{}}"#);
    assert_eq!(told, ["! a: what was published meanwhile is missed: the channel keeps no history"]);
}

#[test]
fn since_begins_behind_an_offset() {
    for (arguments, asked) in [
        ("a --since 7 --epoch x", r#""recover":true,"epoch":"x","offset":7,"#),
        ("a --since 7", r#""recover":true,"offset":7,"#),
        ("a --since 0", r#""recover":true,"#),
    ] {
        let mut follower = follower(arguments);
        let sent = connect(&mut follower).concat();
        assert!(sent.contains(asked), "{arguments}: {sent}");
    }
}

#[test]
fn history_stands_before_what_came_while_it_was_fetched() {
    let mut follower = follower("a --history 2");
    connect(&mut follower);
    let asked = hear(&mut follower, SUBSCRIBED);
    assert_eq!(asked, [r#"> {"id":3,"history":{"channel":"a","limit":2,"reverse":true}}"#]);
    let push = |n: u64| format!(r#"{{"push":{{"channel":"a","pub":{{"data":{n},"offset":{n}}}}}}}"#);
    assert!(hear(&mut follower, &format!("{}\n{}", push(4), push(5))).is_empty());
    let history = r#"{"id":3,"history":{"publications":[{"data":4,"offset":4},{"data":3,"offset":3}],"epoch":"e","offset":4}}"#;
    let printed = hear(&mut follower, &format!("{history}\n{}", push(6)));
    let expected =
        [3, 4, 5, 6].map(|n| format!(r#"= {{"channel":"a","offset":{n},"epoch":"e","data":{n}}}"#));
    assert_eq!(printed, expected);
    // It is not asked for again.
    assert!(connect(&mut follower).concat().contains(r#""offset":6"#));
    assert!(
        hear(&mut follower, r#"{"id":2,"subscribe":{"recoverable":true,"recovered":true,"offset":6}}"#)
            .is_empty()
    );
}

#[test]
fn history_that_did_not_come_begins_anew() {
    let mut follower = follower("a --history 2");
    connect(&mut follower);
    hear(&mut follower, SUBSCRIBED);
    assert!(!connect(&mut follower).concat().contains("recover\":"));
    assert!(hear(&mut follower, SUBSCRIBED).concat().contains("history"));
}

#[test]
fn errors_say_whether_another_attempt_may_help() {
    let retry = |said: &str| Err(End::Retry(said.to_owned()));
    let last = |said: &str| Err(End::Final(said.to_owned()));
    for (message, end) in [
        (
            r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#,
            last("connect: error 109: token expired"),
        ),
        (r#"{"id":1,"error":{"code":100,"message":"m","temporary":true}}"#, retry("connect: error 100: m")),
        (r#"{"id":4,"error":{"code":103,"message":"no"}}"#, last("b: error 103: no")),
        (r#"{"id":3,"error":{"code":108,"message":"no"}}"#, last("a: error 108: no")),
        (
            r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#,
            retry("disconnected by the server: 3001 shutdown"),
        ),
        (r#"{"id":99,"error":{"code":1}}"#, Ok(())),
    ] {
        assert_eq!(follower("a b").handle_message(message), end, "{message}");
    }
    for (code, is_final) in [
        (1000, false),
        (1009, true),
        (3000, false),
        (3499, false),
        (3500, true),
        (3999, true),
        (4000, false),
        (4500, true),
    ] {
        assert_eq!(matches!(disconnected(code, ""), End::Final(_)), is_final, "{code}");
    }
}

#[test]
fn a_subscription_that_the_server_ends_comes_back_or_not() {
    let mut follower = follower("a b");
    connect(&mut follower);
    hear(&mut follower, SUBSCRIBED);
    let push = |channel: &str, code: u32| {
        format!(r#"{{"push":{{"channel":"{channel}","unsubscribe":{{"code":{code},"reason":"why"}}}}}}"#)
    };
    let again = hear(&mut follower, &push("a", 2500));
    assert_eq!(again[0], "! a: unsubscribed by the server: 2500 why");
    assert!(again[1].contains(r#""channel":"a","recover":true,"epoch":"e","offset":3,"#), "{}", again[1]);
    assert_eq!(hear(&mut follower, &push("a", 2000)), ["! a: unsubscribed by the server: 2000 why"]);
    let sent = connect(&mut follower).concat();
    assert!(!sent.contains(r#""channel":"a""#) && sent.contains(r#""channel":"b""#), "{sent}");
    let end = follower.handle_message(&push("b", 2000));
    assert_eq!(end, Err(End::Final("b: unsubscribed by the server: 2000 why".into())));
}

#[test]
fn a_channel_named_twice_is_one() {
    let mut follower = follower("a b a");
    assert_eq!(connect(&mut follower).concat().matches("subscribe").count(), 2);
}
