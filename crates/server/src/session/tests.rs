//! A session in virtual time, with channels that only write down what was asked of them.

use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::protocol::{decode, encode};

#[derive(Default)]
struct Recorded(Vec<String>);

impl Channels for Recorded {
    fn subscribe(&mut self, channel: &str) -> usize {
        self.0.push(format!("+{channel}"));
        self.0.len()
    }

    fn unsubscribe(&mut self, channel: &str, key: usize) {
        self.0.push(format!("-{channel}/{key}"));
    }

    fn publish(&mut self, channel: &str, data: Data<'_>, info: &Arc<ClientInfo>) {
        self.0.push(format!("{channel} {data:?} {:?}", info.conn_info.as_ref().map(|info| info.get())));
    }
}

struct Client {
    session: Session,
    channels: Recorded,
    config: Config,
    now: Instant,
}

impl Client {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        // The last eight bytes: half of the interval of 25 s until the first ping, in nanoseconds.
        let mut seed = [7; 24];
        seed[16..].copy_from_slice(&12_500_000_000_u64.to_ne_bytes());
        Self { session: Session::new(now, &config.client, seed), channels: Recorded::default(), config, now }
    }

    fn connected() -> Self {
        let mut client = Self::new(Config::development());
        assert!(client.say(r#"{"id":1,"connect":{}}"#).contains(r#""connect":{"client""#));
        client
    }

    /// The reply, `-` where there is none, or the code of the disconnect.
    fn say(&mut self, line: &str) -> String {
        let command = decode(line).unwrap();
        match self.session.handle(self.now, &self.config, command, &mut self.channels) {
            Ok(None) => "-".into(),
            Ok(Some(reply)) => {
                let mut text = String::new();
                encode(&reply, &mut text);
                text
            }
            Err(disconnect) => disconnect.code().to_string(),
        }
    }

    fn after(&mut self, seconds: f64) -> Result<Due, u16> {
        self.now += Duration::from_secs_f64(seconds);
        self.session.handle_deadline(self.now).map_err(Disconnect::code)
    }
}

#[test]
fn every_command_has_its_answer() {
    let mut client = Client::connected();
    let long = format!(r#"{{"id":9,"publish":{{"channel":"{}","data":1}}}}"#, "x".repeat(256));
    for (line, answer) in [
        (r#"{"id":2,"subscribe":{"channel":"a"}}"#, r#"{"id":2,"subscribe":{}}"#),
        (
            r#"{"id":3,"subscribe":{"channel":"a"}}"#,
            r#"{"id":3,"error":{"code":105,"message":"already subscribed"}}"#,
        ),
        (r#"{"id":4,"publish":{"channel":"a","data":{"x":1}}}"#, r#"{"id":4,"publish":{}}"#),
        (r#"{"id":5,"publish":{"channel":"a"}}"#, r#"{"id":5,"error":{"code":107,"message":"bad request"}}"#),
        (r#"{"id":6,"unsubscribe":{"channel":"a"}}"#, r#"{"id":6,"unsubscribe":{}}"#),
        (r#"{"id":7,"unsubscribe":{"channel":"a"}}"#, r#"{"id":7,"unsubscribe":{}}"#),
        (
            r#"{"id":8,"subscribe":{"channel":"b","token":"t"}}"#,
            r#"{"id":8,"error":{"code":103,"message":"permission denied"}}"#,
        ),
        (&long, r#"{"id":9,"error":{"code":107,"message":"bad request"}}"#),
        (
            r#"{"id":10,"history":{"channel":"a"}}"#,
            r#"{"id":10,"error":{"code":108,"message":"not available"}}"#,
        ),
        (
            r#"{"id":11,"presence":{"channel":"a"}}"#,
            r#"{"id":11,"error":{"code":108,"message":"not available"}}"#,
        ),
        (r#"{"id":12,"presence_stats":{}}"#, r#"{"id":12,"error":{"code":108,"message":"not available"}}"#),
        (
            r#"{"id":13,"rpc":{"method":"x"}}"#,
            r#"{"id":13,"error":{"code":104,"message":"method not found"}}"#,
        ),
    ] {
        assert_eq!(client.say(line), answer, "{line}");
    }
    assert_eq!(client.channels.0, ["+a", r#"a Json("{\"x\":1}") None"#, "-a/1"]);
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    for (line, code) in [
        (r#"{"id":2}"#, "3501"),
        (r#"{"id":2,"jump":{}}"#, "3501"),
        (r#"{"subscribe":{"channel":"a"}}"#, "3501"),
        (r#"{"id":2,"subscribe":{}}"#, "3501"),
        (r#"{"id":2,"publish":{"data":1}}"#, "3501"),
        (r#"{"id":2,"unsubscribe":{"channel":""}}"#, "3501"),
        (r#"{"id":2,"connect":{}}"#, "3501"),
        (r#"{"send":{"data":1}}"#, "3508"),
        ("{}", "3501"),
    ] {
        assert_eq!(Client::connected().say(line), code, "{line}");
    }
}

#[test]
fn nothing_goes_before_connect() {
    for line in
        ["{}", r#"{"id":1,"subscribe":{"channel":"a"}}"#, r#"{"id":1,"ping":{}}"#, r#"{"connect":{}}"#]
    {
        assert_eq!(Client::new(Config::development()).say(line), "3501", "{line}");
    }
    assert_eq!(Client::new(Config::development()).say(r#"{"id":1,"connect":{"token":"t"}}"#), "3500");
    assert_eq!(Client::new(Config::default()).say(r#"{"id":1,"connect":{}}"#), "3501");
}

#[test]
fn without_permission_channels_are_closed() {
    let mut config = Config::default();
    config.client.options.allow_anonymous_connect_without_token = true;
    let mut client = Client::new(config);
    client.say(r#"{"id":1,"connect":{}}"#);
    for line in [r#"{"id":2,"subscribe":{"channel":"a"}}"#, r#"{"id":2,"publish":{"channel":"a","data":1}}"#]
    {
        assert_eq!(client.say(line), r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#);
    }
}

#[test]
fn an_object_in_connect_becomes_the_info() {
    for (data, info) in [
        (r#"{"name":"Ada"}"#, r#"a Json("1") Some("{\"name\":\"Ada\"}")"#),
        ("\"Ada\"", r#"a Json("1") None"#),
        ("null", r#"a Json("1") None"#),
    ] {
        let mut client = Client::new(Config::development());
        client.say(&format!(r#"{{"id":1,"connect":{{"data":{data}}}}}"#));
        client.say(r#"{"id":2,"publish":{"channel":"a","data":1}}"#);
        assert_eq!(client.channels.0, [info]);
    }
    let large = format!(r#"{{"id":1,"connect":{{"data":{{"x":"{}"}}}}}}"#, "x".repeat(5000));
    let answer = Client::new(Config::development()).say(&large);
    assert_eq!(answer, r#"{"id":1,"error":{"code":106,"message":"limit exceeded"}}"#);
}

#[test]
fn subscriptions_are_counted_and_end_with_the_session() {
    let mut client = Client::connected();
    client.config.client.options.channel_limit = 2;
    for (channel, answer) in [("a", "{}"), ("b", "{}"), ("c", r#"{"code":106,"message":"limit exceeded"}"#)] {
        let reply = client.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#));
        assert!(reply.ends_with(&format!("{answer}}}")), "{reply}");
    }
    let Client { session, channels, .. } = &mut client;
    session.end(channels);
    channels.0.sort();
    assert_eq!(channels.0, ["+a", "+b", "-a/1", "-b/2"]);
}

#[test]
fn a_client_that_answers_pings_stays() {
    let mut client = Client::connected();
    assert_eq!(client.after(12.4), Ok(Due::Nothing));
    for _ in 0..3 {
        let due = client.session.deadline();
        client.now = due;
        assert_eq!(client.after(0.0), Ok(Due::Ping));
        assert_eq!(client.after(7.9), Ok(Due::Nothing));
        assert_eq!(client.say("{}"), "-");
        assert_eq!(client.session.deadline(), due + Duration::from_secs(25));
    }
    assert_eq!(client.say("{}"), "3501", "a second pong to one ping");
}

#[test]
fn a_silent_client_is_told_why_it_goes() {
    let mut client = Client::connected();
    assert_eq!(client.after(12.5), Ok(Due::Ping));
    assert_eq!(client.after(7.9), Ok(Due::Nothing));
    assert_eq!(client.after(0.1), Err(3012));
    let mut fresh = Client::new(Config::development());
    assert_eq!(fresh.after(9.9), Ok(Due::Nothing));
    assert_eq!(fresh.after(0.1), Err(3502));
}
