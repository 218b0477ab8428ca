//! Events in virtual time, and over HTTP.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;

use antiphon_hub::clock::ManualClock;
use antiphon_hub::protocol::Disconnect;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use ring::hmac;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::courier::Delivery;
use super::*;
use crate::backend::tests::app::{App, Deed};
use crate::backend::tests::asker;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// An application without a network: it answers as it is told, and takes what comes after that.
struct Fake {
    answers: Mutex<VecDeque<Delivery>>,
    posts: mpsc::UnboundedSender<(Instant, Bytes)>,
}

impl Deliver for Fake {
    async fn deliver(&self, body: Bytes, _: HeaderValue) -> Delivery {
        self.posts.send((Instant::now(), body)).unwrap();
        self.answers.lock().unwrap().pop_front().unwrap_or(Delivery::Taken)
    }

    fn receiver(&self) -> String {
        "fake".into()
    }
}

struct Posts(mpsc::UnboundedReceiver<(Instant, Bytes)>);

impl Posts {
    async fn next(&mut self) -> (Instant, Value) {
        let (at, body) = self.0.recv().await.unwrap();
        (at, serde_json::from_slice(&body).unwrap())
    }

    /// What the next batch is about: channels and clients, behind the number of those dropped.
    async fn about(&mut self) -> String {
        let (_, batch) = self.next().await;
        let about = |event: &Value| {
            let of = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            of("channel") + &of("client")
        };
        let events: Vec<_> = batch["events"].as_array().unwrap().iter().map(about).collect();
        format!("{}/{}", batch["dropped"].as_u64().unwrap_or(0), events.join(" "))
    }
}

/// Two events a batch, which waits for 100 ms.
fn settings() -> EventSettings {
    EventSettings {
        secret: "secret".into(),
        batch_size: 2,
        batch_delay: MS(100),
        retry_min: MS(1000),
        retry_max: MS(4000),
        queue_size: 4,
        ..EventSettings::default()
    }
}

fn events(settings: &EventSettings, answers: impl IntoIterator<Item = Delivery>) -> (HttpEvents, Posts) {
    let (posts, posted) = mpsc::unbounded_channel();
    let fake = Fake { answers: Mutex::new(answers.into_iter().collect()), posts };
    let clock = Arc::new(ManualClock::at(1_700_000_000_123));
    (HttpEvents::start(&Handle::current(), settings, clock, fake).unwrap(), Posts(posted))
}

fn failed() -> Delivery {
    Delivery::Failed("down".into())
}

fn occupy(events: &HttpEvents, channels: impl IntoIterator<Item = u32>) {
    for channel in channels {
        events.tell(Occurrence::Occupied { channel: &channel.to_string() });
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_when_it_is_full_or_has_waited() {
    let (events, mut posts) = events(&EventSettings { queue_size: 10, ..settings() }, []);
    let began = Instant::now();
    occupy(&events, 1..=5);
    let mut ids = Vec::new();
    for (size, after) in [(2, MS(0)), (2, MS(0)), (1, MS(100))] {
        let (at, batch) = posts.next().await;
        assert_eq!(at - began, after);
        assert_eq!(batch["events"].as_array().unwrap().len(), size);
        let events = batch["events"].as_array().unwrap().iter();
        ids.extend(events.map(|event| event["id"].as_str().unwrap().rsplit_once('-').unwrap().1.to_owned()));
    }
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);

    // One that comes while another waits goes with it, and is not waited for anew.
    let began = Instant::now();
    occupy(&events, [6]);
    tokio::time::sleep(MS(60)).await;
    occupy(&events, [7]);
    let (at, _) = posts.next().await;
    assert_eq!(at - began, MS(60));
    let stats = EventStats { told: 7, delivered: 7, dropped: 0, waiting: 0, batches: 4, retries: 0 };
    // The courier's own turn, after it has heard.
    tokio::task::yield_now().await;
    assert_eq!(events.stats(), stats);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_posted_again_until_it_is_taken_and_none_overtakes_it() {
    let (events, mut posts) = events(&settings(), [failed(), failed(), failed(), failed()]);
    occupy(&events, 1..=4);
    let (mut before, first) = posts.next().await;
    for longest in [2000, 4000, 4000, 4000] {
        let (at, again) = posts.next().await;
        assert_eq!(again, first);
        assert!((MS(1000)..=MS(longest)).contains(&(at - before)), "{:?}", at - before);
        before = at;
    }
    let (_, second) = posts.next().await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["events"][0]["channel"], "3");
    assert_eq!(events.stats().retries, 4);
}

#[tokio::test(start_paused = true)]
async fn what_the_application_refuses_is_dropped_and_told_of() {
    let refused = || Delivery::Refused("status 400".into());
    let (events, mut posts) = events(&settings(), [refused(), refused()]);
    occupy(&events, 1..=4);
    assert_eq!(posts.about().await, "0/1 2");
    assert_eq!(posts.about().await, "2/3 4");
    occupy(&events, 5..=6);
    assert_eq!(posts.about().await, "4/5 6");
    occupy(&events, 7..=8);
    assert_eq!(posts.about().await, "0/7 8");
    assert_eq!(events.stats().dropped, 4);
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_drops_the_oldest() {
    let (events, mut posts) = events(&settings(), [failed()]);
    occupy(&events, 1..=2);
    assert_eq!(posts.about().await, "0/1 2");
    // Four have room beside the batch on its way.
    occupy(&events, 3..=12);
    assert_eq!(
        events.stats(),
        EventStats { told: 12, dropped: 6, waiting: 4, retries: 1, ..EventStats::default() }
    );
    // A batch that is posted again is the same to the byte.
    assert_eq!(posts.about().await, "0/1 2");
    assert_eq!(posts.about().await, "6/9 10");
    assert_eq!(posts.about().await, "0/11 12");
}

#[tokio::test(start_paused = true)]
async fn the_room_is_bounded_in_bytes_as_well() {
    let settings = EventSettings { queue_size: 1000, batch_size: 1000, ..settings() };
    let (events, mut posts) = events(&settings, []);
    let channel = "x".repeat(100_000);
    for _ in 0..1000 {
        events.tell(Occurrence::Occupied { channel: &channel });
    }
    let waiting = events.stats().waiting;
    assert!((1..=10).contains(&waiting), "{waiting} events of 100 kB in 1,000 KiB");
    // One that has no room at all drops itself with the others, and the rest goes on.
    events.tell(Occurrence::Occupied { channel: &"x".repeat(2_000_000) });
    assert_eq!(events.stats().waiting, 0);
    occupy(&events, [1]);
    assert_eq!(posts.about().await, "1001/1");
}

#[tokio::test(start_paused = true)]
async fn the_end_delivers_what_waits() {
    let (events, mut posts) = events(&settings(), [failed(), failed()]);
    let began = Instant::now();
    occupy(&events, 1..=3);
    posts.next().await;
    // In the middle of a pause of a second or two.
    tokio::time::sleep(MS(10)).await;
    let other = events.clone();
    assert_eq!(events.flush(MS(10_000)).await, 0);
    // At once, then after the shortest pause, and the last without waiting for a batch to fill.
    let mut after = Vec::new();
    while let Ok((at, _)) = posts.0.try_recv() {
        after.push(at - began);
    }
    assert_eq!(after, [MS(10), MS(1010), MS(1010)]);
    occupy(&other, [4]);
    assert_eq!(
        other.stats(),
        EventStats { told: 4, delivered: 3, dropped: 1, waiting: 0, batches: 2, retries: 2 }
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_has_a_deadline() {
    let (events, _posts) = events(&settings(), (0..100).map(|_| failed()));
    occupy(&events, 1..=3);
    let began = Instant::now();
    assert_eq!(events.flush(MS(5000)).await, 3);
    assert_eq!(began.elapsed(), MS(5000));
}

#[tokio::test(start_paused = true)]
async fn only_the_kinds_that_are_set_are_told() {
    let settings = EventSettings { kinds: vec![EventKind::Vacated], ..settings() };
    let (events, mut posts) = events(&settings, []);
    occupy(&events, 1..=2);
    events.tell(Occurrence::Vacated { channel: "v" });
    assert_eq!(posts.about().await, "0/v");
}

#[tokio::test(start_paused = true)]
async fn events_say_who_what_where_and_why() {
    let settings = EventSettings { batch_size: 7, queue_size: 7, ..settings() };
    let (events, mut posts) = events(&settings, []);
    let asker = &asker();
    let channel = "news";
    events.tell(Occurrence::Connected { asker });
    events.tell(Occurrence::Occupied { channel });
    events.tell(Occurrence::Subscribed { asker, channel });
    events.tell(Occurrence::Unsubscribed { asker, channel, code: 2000 });
    events.tell(Occurrence::Unsubscribed { asker, channel, code: 2222 });
    events.tell(Occurrence::Vacated { channel });
    events.tell(Occurrence::Disconnected { asker, disconnect: &Disconnect::SLOW });
    let (_, batch) = posts.next().await;
    let said = batch["events"].as_array().unwrap().iter().map(|event| {
        let mut event = event.as_object().unwrap().clone();
        assert_eq!(event.remove("time"), Some(1_700_000_000_123_u64.into()));
        assert!(event.remove("id").is_some());
        if event.contains_key("client") {
            assert_eq!(event.remove("client"), Some("c1".into()));
            assert_eq!(event.remove("user"), Some("ann".into()));
            assert_eq!(event.remove("transport"), Some("websocket".into()));
            assert_eq!(event.remove("protocol"), Some("json".into()));
        }
        Value::from(event).to_string()
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            r#"{"type":"connected"}"#,
            r#"{"channel":"news","type":"occupied"}"#,
            r#"{"channel":"news","type":"subscribed"}"#,
            r#"{"channel":"news","code":2000,"reason":"server unsubscribe","type":"unsubscribed"}"#,
            r#"{"channel":"news","code":2222,"type":"unsubscribed"}"#,
            r#"{"channel":"news","type":"vacated"}"#,
            r#"{"code":3008,"reason":"slow","type":"disconnected"}"#,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn events_of_many_threads_keep_each_threads_order() {
    let settings = EventSettings { batch_size: 7, queue_size: 1000, ..settings() };
    let (events, mut posts) = events(&settings, [failed()]);
    let tellers: Vec<_> = (0..4)
        .map(|teller| {
            let events = events.clone();
            thread::spawn(move || occupy(&events, (0..100).map(|number| teller * 1000 + number)))
        })
        .collect();
    tellers.into_iter().for_each(|teller| teller.join().unwrap());
    assert_eq!(events.flush(MS(60_000)).await, 0);
    let mut next = [0; 4];
    posts.next().await;
    while let Ok((_, body)) = posts.0.try_recv() {
        let batch: Value = serde_json::from_slice(&body).unwrap();
        for event in batch["events"].as_array().unwrap() {
            let number: usize = event["channel"].as_str().unwrap().parse().unwrap();
            let (teller, number) = (number / 1000, number % 1000);
            assert_eq!(number, next[teller]);
            next[teller] += 1;
        }
    }
    assert_eq!(next, [100; 4]);
}

#[tokio::test]
async fn a_status_says_whether_to_come_again() {
    let client = Client::new(Handle::current());
    let post = |app: &App| Post {
        client: client.clone(),
        endpoint: Endpoint::parse(&app.url).unwrap(),
        headers: HeaderMap::new(),
        timeout: MS(30_000),
    };
    for (statuses, wanted) in [
        (&[200, 204][..], "taken"),
        (&[400, 401, 404, 410, 422], "refused"),
        (&[302, 408, 425, 429, 500, 502, 503], "failed"),
    ] {
        for &status in statuses {
            let app = App::always(Deed::Answer(status, String::new())).await;
            let delivery = match post(&app).deliver("{}".into(), HeaderValue::from_static("s")).await {
                Delivery::Taken => "taken",
                Delivery::Refused(_) => "refused",
                Delivery::Failed(_) => "failed",
            };
            assert_eq!(delivery, wanted, "{status}");
        }
    }
    for deed in [Deed::Close, Deed::CloseMidBody, Deed::Flood] {
        let app = App::always(deed.clone()).await;
        let delivery = post(&app).deliver("{}".into(), HeaderValue::from_static("s")).await;
        assert!(matches!(delivery, Delivery::Failed(_)), "{deed:?}: {delivery:?}");
    }
}

#[tokio::test]
async fn a_receiver_can_tell_who_posted() {
    let app = App::always(Deed::Answer(204, String::new())).await;
    let settings = EventSettings {
        endpoint: app.url.clone(),
        static_headers: [("X-Key".to_owned(), "k".to_owned())].into(),
        timeout: MS(30_000),
        ..settings()
    };
    let clock = Arc::new(ManualClock::at(1_700_000_000_123));
    let events = HttpEvents::new(&Client::new(Handle::current()), &settings, clock).unwrap();
    occupy(&events, 1..=2);
    assert_eq!(events.flush(MS(30_000)).await, 0);

    let seen = &app.seen()[0];
    assert_eq!(seen.headers["x-key"], "k");
    assert_eq!(seen.headers["content-type"], "application/json");
    let signature = seen.headers["x-antiphon-signature"].to_str().unwrap();
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(time, "1700000000");
    let tag: Vec<_> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let signed = |secret: &str, body: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, format!("{time}.{body}").as_bytes(), &tag).is_ok()
    };
    assert!(signed("secret", &seen.text()));
    assert!(!signed("other", &seen.text()));
    assert!(!signed("secret", &seen.text().replace("occupied", "vacated")));
}

#[tokio::test]
async fn wrong_settings_are_refused() {
    let good = || EventSettings { endpoint: "http://a/".into(), ..settings() };
    let client = Client::new(Handle::current());
    for (settings, says) in [
        (EventSettings { endpoint: "a".into(), ..good() }, "endpoint"),
        (EventSettings { secret: String::new(), ..good() }, "secret is empty"),
        (EventSettings { timeout: MS(0), ..good() }, "timeout is 0"),
        (EventSettings { batch_size: 0, ..good() }, "batch_size is 0"),
        (EventSettings { batch_size: 5, ..good() }, "queue_size, which is 4"),
        (EventSettings { retry_min: MS(0), ..good() }, "retry_min is 0ns"),
        (EventSettings { retry_min: MS(5000), ..good() }, "at most retry_max, 4s"),
        (EventSettings { static_headers: [("a b".into(), "".into())].into(), ..good() }, r#""a b""#),
    ] {
        let said = HttpEvents::new(&client, &settings, Arc::new(ManualClock::at(0))).unwrap_err();
        assert!(said.starts_with("events: ") && said.contains(says), "{said}");
    }
    assert!(HttpEvents::new(&client, &good(), Arc::new(ManualClock::at(0))).is_ok());
}
