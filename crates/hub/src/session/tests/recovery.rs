//! What is recovered. That it is neither lost nor repeated whatever happens meanwhile is shown by `tests/race`.

use super::common::{World, replies};
use super::{Client, book, kept, namespace, publication, publish_in};
use crate::options::{ChannelOptions, RecoveryMode};
use crate::protocol::{Encoding, SubscribeResult};

fn world() -> World {
    World::new(book(|book| {
        book.client.recovery_max_publication_limit = 6;
        let cache =
            ChannelOptions { force_recovery: true, force_recovery_mode: RecoveryMode::Cache, ..kept() };
        let auto = ChannelOptions { auto_cache_recover: true, ..cache.clone() };
        let chosen = ChannelOptions { allow_tags_filter: true, ..cache.clone() };
        book.namespaces = vec![
            namespace("kept", ChannelOptions { allow_tags_filter: true, ..kept() }),
            namespace("forced", ChannelOptions { force_recovery: true, ..kept() }),
            namespace("cache", cache),
            namespace("auto", auto),
            namespace("chosen", chosen),
        ];
    }))
}

/// With `count` publications in a channel, of which the odd ones are tagged.
fn fill(world: &World, channel: &str, count: u64) -> String {
    for number in 1..=count {
        let mut publish = publication(world, channel, &number.to_string());
        if number % 2 == 1 {
            publish.tags.insert("odd".into(), "yes".into());
        }
        world.publish(channel, publish);
    }
    world.engine.kept(channel, world.keep(channel)).position.epoch
}

fn subscribed(world: &World, channel: &str, request: &str) -> Result<SubscribeResult, u32> {
    let mut client = Client::connected(world);
    let heard = client.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{request}}}}}"#));
    let reply = replies(&heard.into(), Encoding::Json).remove(0);
    reply.subscribe.map(|result| *result).ok_or_else(|| reply.error.unwrap().code)
}

/// Offsets of what was recovered, and where the client is then; the offset of the stream where it was not recovered.
type Outcome = Result<(bool, Vec<u64>, u64), u32>;

fn outcome(world: &World, channel: &str, request: &str) -> Outcome {
    subscribed(world, channel, request).map(|result| {
        assert!(result.was_recovering, "{result:?}");
        let offsets = result.publications.iter().map(|publication| publication.offset).collect();
        (result.recovered, offsets, result.offset)
    })
}

#[test]
fn a_stream_is_recovered_whole_or_not_at_all() {
    let world = world();
    let epoch = fill(&world, "kept:a", 5);
    let many = fill(&world, "kept:many", 12);
    for (channel, request, expected) in [
        ("kept:a", r#""offset":3,"epoch":"EPOCH""#, Ok((true, vec![4, 5], 3))),
        ("kept:a", r#""offset":5,"epoch":"EPOCH""#, Ok((true, vec![], 5))),
        ("kept:a", r#""offset":0,"epoch":"EPOCH""#, Ok((true, vec![1, 2, 3, 4, 5], 0))),
        ("kept:a", r#""offset":0"#, Ok((true, vec![1, 2, 3, 4, 5], 0))),
        ("kept:a", r#""offset":9,"epoch":"EPOCH""#, Ok((false, vec![], 5))),
        ("kept:a", r#""offset":3,"epoch":"other""#, Ok((false, vec![], 5))),
        ("kept:a", r#""offset":3,"epoch":"other","flag":2"#, Err(112)),
        ("kept:a", r#""offset":3,"epoch":"EPOCH","flag":2"#, Ok((true, vec![4, 5], 3))),
        ("kept:a", r#""offset":2,"epoch":"EPOCH","tf":{"key":"odd","cmp":"ex"}"#, Ok((true, vec![3, 5], 2))),
        // Ten are kept of twelve, and six are given at most.
        ("kept:many", r#""offset":1,"epoch":"MANY""#, Ok((false, vec![], 12))),
        ("kept:many", r#""offset":5,"epoch":"MANY""#, Ok((false, vec![], 12))),
        ("kept:many", r#""offset":6,"epoch":"MANY""#, Ok((true, vec![7, 8, 9, 10, 11, 12], 6))),
    ] {
        let request = request.replace("EPOCH", &epoch).replace("MANY", &many);
        let request = format!(r#","recoverable":true,"recover":true,{request}"#);
        assert_eq!(outcome(&world, channel, &request), expected, "{channel} {request}");
    }
    let metrics = world.node.metrics();
    assert_eq!((metrics.recovered.value(), metrics.unrecovered.value()), (7, 5));
    assert_eq!(metrics.recovered_publications.value(), 2 + 5 + 5 + 2 + 2 + 6);
    world.assert_vacant();
}

#[test]
fn a_cache_gives_the_newest() {
    let world = world();
    for channel in ["cache:a", "auto:a", "chosen:a"] {
        fill(&world, channel, 4);
    }
    let epoch = world.engine.kept("cache:a", world.keep("cache:a")).position.epoch;
    for (channel, request, expected) in [
        ("cache:a", r#""recover":true"#, Ok((true, vec![4], 0))),
        ("cache:a", r#""recover":true,"offset":2,"epoch":"EPOCH""#, Ok((true, vec![4], 2))),
        ("cache:a", r#""recover":true,"offset":4,"epoch":"EPOCH""#, Ok((true, vec![], 4))),
        ("cache:a", r#""recover":true,"offset":4,"epoch":"other""#, Ok((true, vec![4], 4))),
        ("auto:a", r#""positioned":true"#, Ok((true, vec![4], 0))),
        ("chosen:a", r#""recover":true,"tf":{"key":"odd","cmp":"ex"}"#, Ok((true, vec![3], 0))),
        ("cache:none", r#""recover":true"#, Ok((false, vec![], 0))),
        ("cache:none", r#""recover":true,"flag":2"#, Err(112)),
    ] {
        let request = format!(",{}", request.replace("EPOCH", &epoch));
        assert_eq!(outcome(&world, channel, &request), expected, "{channel} {request}");
    }
}

#[test]
fn without_recovery_a_subscription_begins_where_the_stream_is() {
    let world = world();
    let epoch = fill(&world, "kept:a", 5);
    let result = subscribed(&world, "kept:a", r#","recoverable":true"#).unwrap();
    assert_eq!((result.offset, result.epoch, result.publications.len()), (5, epoch, 0));
    assert!(!result.was_recovering && !result.recovered);
}

#[test]
fn what_the_server_subscribes_a_client_to_is_recovered_at_connect() {
    let world = world();
    let epoch = fill(&world, "forced:a", 5);
    // A client may name channels that it may subscribe to anyway; of others nothing is said.
    let named = format!(
        r#""forced:a":{{"recover":true,"offset":3,"epoch":"{epoch}"}},"kept:a":{{"recover":true}},"no:a":{{}}"#
    );
    let mut client = Client::new(&world);
    let heard = client.say(&format!(r#"{{"id":1,"connect":{{"subs":{{{named}}}}}}}"#));
    let reply = replies(&heard.into(), Encoding::Json).remove(0);
    let outcomes = reply.connect.unwrap().subs.into_iter().map(|sub| {
        let result = sub.result.unwrap();
        let offsets: Vec<_> = result.publications.iter().map(|publication| publication.offset).collect();
        (sub.channel, result.was_recovering, result.recovered, offsets)
    });
    let forced = ("forced:a".to_owned(), true, true, vec![4, 5]);
    // Nothing makes this one recoverable.
    let kept = ("kept:a".to_owned(), false, false, vec![]);
    assert_eq!(outcomes.collect::<Vec<_>>(), [forced, kept]);
    publish_in(&world, "forced:a", "6");
    assert!(client.turn().contains(r#""offset":6"#));
}
