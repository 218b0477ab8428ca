//! Workers on threads of their own, each with clients that come, publish, leave and recover as fast as they can.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use antiphon_hub::protocol::{ConnectRequest, Encoding, SubscribeRequest};
use antiphon_hub::rules::RuleBook;
use antiphon_hub::{Span, WorkerId, options};
use bytes::Bytes;

use common::{Peer, Random, Seen, Stage, View, World, WorldParts};

const WORKERS: WorkerId = 4;
const CLIENTS: usize = 6;
const ACTS: usize = 4000;
const CHANNELS: [&str; 3] = ["a", "b", "c"];

/// What each publication is, by channel and offset.
type Log = BTreeMap<(&'static str, u64), Bytes>;

fn stage() -> Stage {
    let client =
        options::ClientOptions { insecure: true, recovery_max_publication_limit: 0, ..Default::default() };
    let without_namespace = options::ChannelOptions {
        history_size: 1_000_000,
        history_ttl: Span::seconds(60),
        presence: true,
        allowed_delta_types: vec![options::DeltaType::Fossil],
        delta_publish: true,
        ..Default::default()
    };
    let book = RuleBook { client, without_namespace, ..RuleBook::default() };
    Stage::new(WorldParts { book, workers: WORKERS, is_open: true, ..WorldParts::default() })
}

struct Client {
    peer: Peer,
    view: View,
    delta: bool,
}

impl Client {
    fn new(world: &World, encoding: Encoding, delta: bool) -> Self {
        let (peer, mut view) = (Peer::new(world, 0, encoding), View::new(encoding));
        peer.receive(view.connect(ConnectRequest::default()));
        Self { peer, view, delta }
    }

    fn act(&mut self, random: &mut Random, data: impl FnOnce() -> Bytes) {
        let channel = *random.pick(&CHANNELS);
        let is_there = self.view.is_subscribed(channel);
        let message = match random.below(4) {
            _ if self.view.is_waiting() => self.view.publish(channel, data()),
            0 if is_there => self.view.unsubscribe(channel),
            0 | 1 if !is_there => self.view.subscribe(SubscribeRequest {
                channel: channel.to_owned(),
                recoverable: true,
                delta: if self.delta { "fossil".to_owned() } else { String::new() },
                ..Default::default()
            }),
            _ => self.view.publish(channel, data()),
        };
        self.peer.receive(message);
    }

    /// Has its turn, and notes what it has been given.
    fn turn(&mut self, world: &World, log: &mut Log) {
        self.peer.turn(world);
        self.view.hear_all(&self.peer.take());
        for (channel, seen) in self.view.take_seen() {
            let channel = CHANNELS.iter().find(|name| **name == channel).unwrap();
            for seen in seen {
                match seen {
                    Seen::Publication { offset, data } => {
                        let known = log.entry((channel, offset)).or_insert_with(|| data.clone());
                        assert_eq!(*known, data, "{offset} in {channel} is one publication");
                    }
                    Seen::Start { recovered, .. } => {
                        assert_ne!(recovered, Some(false), "nothing is ever gone")
                    }
                    Seen::Left => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// Counts the workers that have published all that they will, or have failed.
struct AtEnd<'a>(&'a AtomicUsize);

impl AtEnd<'_> {
    fn wait(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        while self.0.load(Ordering::SeqCst) < usize::from(WORKERS) {
            thread::yield_now();
        }
    }
}

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        // Nobody waits for a worker that has failed.
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One worker: what its clients have been given.
fn work(stage: Stage, worker: WorkerId, at_end: &AtEnd<'_>) -> Log {
    let world = World::on(stage, worker..worker + 1);
    let mut random = Random::new(u64::from(worker));
    let mut log = Log::new();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|number| {
            let encoding = if number % 2 == 0 { Encoding::Json } else { Encoding::Protobuf };
            Client::new(&world, encoding, number % 3 == 0)
        })
        .collect();
    for act in 0..ACTS {
        let client = random.below(CLIENTS);
        let data = || format!(r#"{{"worker":{worker},"act":{act},"text":"much the same each time"}}"#).into();
        clients[client].act(&mut random, data);
        let other = random.below(CLIENTS);
        clients[other].turn(&world, &mut log);
    }
    clients.iter_mut().for_each(|client| client.turn(&world, &mut log));
    at_end.wait();
    world.locals[0].deliver();
    for client in &mut clients {
        client.turn(&world, &mut log);
        assert!(!client.view.is_waiting(), "every command is answered");
        let channels: Vec<_> = client.view.channels().map(str::to_owned).collect();
        for channel in channels {
            let end = world.engine.kept(&channel, world.keep(&channel)).position;
            assert_eq!(client.view.position(&channel), Some(&end), "in {channel} everything has come");
        }
    }
    log
}

#[test]
fn threads_do_not_lose_repeat_or_reorder() {
    let stage = stage();
    let at_end = AtomicUsize::new(0);
    let logs: Vec<Log> = thread::scope(|scope| {
        let threads: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (stage, at_end) = (stage.clone(), AtEnd(&at_end));
                scope.spawn(move || work(stage, worker, &at_end))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let world = World::on(stage, 0..0);
    let mut count = 0;
    for channel in CHANNELS {
        for publication in world.engine.kept(channel, world.keep(channel)).publications {
            count += 1;
            for log in &logs {
                let given = log.get(&(channel, publication.offset));
                assert!(given.is_none_or(|given| given == publication.data.bytes()));
            }
        }
    }
    let given: usize = logs.iter().map(Log::len).sum();
    println!("{count} publications, {given} seen by the workers");
    assert!(given > count, "most are seen by more than one");
    world.assert_vacant();
}
