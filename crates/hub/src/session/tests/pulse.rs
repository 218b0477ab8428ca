//! Pings, and clients that say nothing.

use bytes::Bytes;

use super::common::World;
use super::{Client, book};
use crate::options::RpcOptions;

fn world() -> World {
    World::new(book(|book| {
        book.rpc_without_namespace = RpcOptions { proxy_enabled: true, ..Default::default() }
    }))
}

impl Client<'_> {
    /// What it hears after so many seconds.
    fn after(&mut self, seconds: f64) -> String {
        self.world.pass(seconds);
        self.turn()
    }
}

#[test]
fn a_client_that_answers_pings_stays() {
    let world = world();
    let mut client = Client::connected(&world);
    assert_eq!(client.after(12.4), "");
    assert_eq!(client.after(0.1), "{}");
    for _ in 0..3 {
        assert_eq!(client.after(7.9), "");
        assert_eq!(client.say("{}"), "");
        assert_eq!(client.after(17.0), "");
        assert_eq!(client.after(0.1), "{}");
    }
    assert_eq!(client.say("{}"), "");
    assert_eq!(client.say("{}"), "3501", "a second answer to one ping");
}

#[test]
fn a_silent_client_is_told_why_it_goes() {
    let world = world();
    let mut client = Client::connected(&world);
    assert_eq!(client.after(12.5), "{}");
    assert_eq!(client.after(7.9), "");
    assert_eq!(client.after(0.1), "3012");
    let mut fresh = Client::new(&world);
    assert_eq!(fresh.after(9.9), "");
    assert_eq!(fresh.after(0.1), "3502");
}

#[test]
fn a_refused_client_is_not_pinged_and_goes_in_the_end() {
    let world = World::new(book(|book| book.client.connect_proxy_enabled = true));
    let grant = crate::backend::ConnectGrant {
        subs: [("no:such".to_owned(), Default::default())].into(),
        ..Default::default()
    };
    world.application.answers(|answers| answers.connect = Ok(grant));
    let mut client = Client::new(&world);
    let refused = r#"{"id":1,"error":{"code":102,"message":"unknown channel"}}"#;
    assert_eq!(client.say(r#"{"id":1,"connect":{}}"#), refused);
    assert_eq!(client.after(9.9), "");
    assert_eq!(client.after(0.1), "3502");
    world.assert_vacant();
}

/// Nothing is read from a client while its command waits for the backend: it cannot be heard meanwhile.
#[test]
fn a_client_that_waits_is_not_silent() {
    let world = world();
    world.application.answers(|answers| answers.rpc = Ok(Bytes::from_static(b"1")));
    world.desk.slow_down(&["rpc"]);
    let mut client = Client::connected(&world);
    assert_eq!(client.say(r#"{"id":2,"rpc":{"method":"m"}}"#), "");
    let heard: Vec<_> = (0..60).map(|_| client.after(1.0)).filter(|heard| !heard.is_empty()).collect();
    assert_eq!(heard, ["{}", "{}"], "two pings, and no end");
    world.desk.do_next();
    assert_eq!(client.turn(), r#"{"id":2,"rpc":{"data":1}}"#);
    assert_eq!(client.say("{}"), "", "the answer to the first ping");
    assert_eq!(client.say("{}"), "", "the answer to the second");
    assert_eq!(client.say("{}"), "3501", "an answer to none");
}

/// Nor is a client new for too long whose `connect` the server is slow to answer.
#[test]
fn a_client_that_waits_to_connect_is_not_stale() {
    let world = World::new(book(|book| book.client.connect_proxy_enabled = true));
    world.desk.slow_down(&["connect"]);
    let mut client = Client::new(&world);
    assert_eq!(client.say(r#"{"id":1,"connect":{}}"#), "");
    let heard: String = (0..60).map(|_| client.after(1.0)).collect();
    assert_eq!(heard, "", "neither a ping before the answer nor an end");
    world.desk.do_next();
    assert!(client.turn().contains(r#""connect":{"client""#));
}
