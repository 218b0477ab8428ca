//! Questions and answers, and backends that give none.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::backend::{
    Asker, Backend as _, ConnectAsk, ConnectGrant, Overrides, PublishAsk, PublishGrant, RefreshAnswer,
    RpcAsk, SubRefreshAsk, SubscribeAsk, SubscribeGrant,
};
use antiphon_hub::clock::ManualClock;
use antiphon_hub::data::Data;
use antiphon_hub::protocol::{ClientError, Disconnect, Encoding, Refusal};
use bytes::Bytes;
use tokio::runtime::Handle;

use super::super::proxy::UNDER_WAY_LIMIT;
use super::super::{BackendSettings, Client, HttpBackend, ProxySettings, StatusTransform};
use super::app::{App, Deed};
use super::asker;

const NOW: u64 = 1_700_000_000;

fn settings(url: &str) -> ProxySettings {
    ProxySettings { endpoint: url.into(), timeout: Duration::from_secs(30), ..ProxySettings::default() }
}

fn backend_of(proxy: &ProxySettings) -> HttpBackend {
    let named = [("default".to_owned(), proxy.clone())];
    let settings = BackendSettings {
        connect: Some(proxy.clone()),
        refresh: Some(proxy.clone()),
        subscribe: named.clone().into(),
        publish: named.clone().into(),
        sub_refresh: named.clone().into(),
        rpc: named.into(),
    };
    HttpBackend::new(&Client::new(Handle::current()), &settings, Arc::new(ManualClock::at(NOW * 1000)))
        .unwrap()
}

fn connect_ask(asker: Asker) -> ConnectAsk {
    ConnectAsk {
        asker,
        data: Bytes::new(),
        name: String::new(),
        version: String::new(),
        channels: Vec::new(),
    }
}

fn subscribe_ask(asker: Asker) -> SubscribeAsk {
    SubscribeAsk { proxy: "".into(), asker, channel: "news".into(), token: String::new(), data: Bytes::new() }
}

fn publish_ask(asker: Asker, data: Data) -> PublishAsk {
    PublishAsk { proxy: "default".into(), asker, channel: "news".into(), data }
}

fn sub_refresh_ask(asker: Asker) -> SubRefreshAsk {
    SubRefreshAsk { proxy: "default".into(), asker, channel: "news".into() }
}

fn rpc_ask(asker: Asker, data: &'static [u8]) -> RpcAsk {
    RpcAsk { proxy: "default".into(), asker, method: "sum".into(), data: Bytes::from_static(data) }
}

/// Asks everything once, and gives the bodies of the questions.
async fn questions(change: impl Fn(&mut ProxySettings), asker: &Asker, data: &'static [u8]) -> Vec<String> {
    let app = App::always(Deed::json(r#"{"result":{}}"#)).await;
    let mut proxy = settings(&app.url);
    change(&mut proxy);
    let backend = backend_of(&proxy);
    let data = Bytes::from_static(data);
    let connect = ConnectAsk {
        data: data.clone(),
        name: "js".into(),
        version: "5".into(),
        channels: vec!["a".into(), "b".into()],
        ..connect_ask(asker.clone())
    };
    backend.connect(connect).await.unwrap();
    backend.refresh(asker.clone()).await.unwrap();
    let subscribe = SubscribeAsk { token: "jwt".into(), data: data.clone(), ..subscribe_ask(asker.clone()) };
    backend.subscribe(subscribe).await.unwrap();
    backend.publish(publish_ask(asker.clone(), Data::Binary(data.clone()))).await.unwrap();
    backend.sub_refresh(sub_refresh_ask(asker.clone())).await.unwrap();
    backend.rpc(RpcAsk { data, ..rpc_ask(asker.clone(), b"") }).await.unwrap();
    app.seen().iter().map(|seen| seen.text()).collect()
}

#[tokio::test]
async fn questions_are_centrifugos() {
    let who = r#""client":"c1","transport":"websocket","protocol":"json","encoding":"json""#;
    let connect = format!(r#"{{{who},"data":{{"a":1}},"name":"js","version":"5","channels":["a","b"]}}"#);
    assert_eq!(
        questions(|_| {}, &asker(), br#"{"a":1}"#).await,
        [
            connect.clone(),
            format!(r#"{{{who},"user":"ann"}}"#),
            format!(r#"{{{who},"user":"ann","channel":"news","token":"jwt","data":{{"a":1}}}}"#),
            format!(r#"{{{who},"user":"ann","channel":"news","data":{{"a":1}}}}"#),
            format!(r#"{{{who},"user":"ann","channel":"news"}}"#),
            format!(r#"{{{who},"user":"ann","method":"sum","data":{{"a":1}}}}"#),
        ]
    );
    let meta = r#""meta":{"plan":"free"}"#;
    assert_eq!(
        questions(|proxy| proxy.include_connection_meta = true, &asker(), b"").await,
        [
            format!(r#"{{{who},"name":"js","version":"5","channels":["a","b"]}}"#),
            format!(r#"{{{who},"user":"ann",{meta}}}"#),
            format!(r#"{{{who},"user":"ann","channel":"news","token":"jwt",{meta}}}"#),
            format!(r#"{{{who},"user":"ann","channel":"news",{meta}}}"#),
            format!(r#"{{{who},"user":"ann","channel":"news",{meta}}}"#),
            format!(r#"{{{who},"user":"ann","method":"sum",{meta}}}"#),
        ]
    );
}

#[tokio::test]
async fn data_that_is_no_json_goes_as_a_string_or_in_base64() {
    let asker = Asker { encoding: Encoding::Protobuf, user: "".into(), ..asker() };
    for (binary, data, wanted) in [
        (false, &b"hi"[..], r#""encoding":"json","user":"","channel":"news","data":"hi"}"#),
        (false, &[0, 255], r#""encoding":"json","user":"","channel":"news","data":"AP8="}"#),
        (true, &[0, 255], r#""encoding":"binary","user":"","channel":"news","b64data":"AP8="}"#),
        (true, br#"{"a":1}"#, r#""encoding":"binary","user":"","channel":"news","b64data":"eyJhIjoxfQ=="}"#),
    ] {
        let asked = questions(|proxy| proxy.binary_encoding = binary, &asker, data).await;
        assert_eq!(
            asked[3],
            format!(r#"{{"client":"c1","transport":"websocket","protocol":"protobuf",{wanted}"#)
        );
    }
}

#[tokio::test]
async fn connect_says_who_somebody_is() {
    let full = r#"{"result":{"user":"ann","expire_at":99,"info":{"n":
        "A"},"b64data":"AP8=","meta":{"plan":"free"},"channels":["x"],"future":[1],"subs":{"y":{"expire_at":5,"b64info":"AQ==",
        "data":[1],"override":{"presence":{"value":true},"join_leave":{"value":false},"force_recovery":{},
        "force_positioning":null,"force_push_join_leave":{"value":true}}},"z":null}},"error":null}"#;
    let y = SubscribeGrant {
        expire_at: 5,
        info: Bytes::from_static(&[1]),
        data: "[1]".into(),
        overrides: Overrides {
            presence: Some(true),
            join_leave: Some(false),
            force_push_join_leave: Some(true),
            force_recovery: Some(false),
            force_positioning: None,
        },
    };
    let none = SubscribeGrant::default;
    let grant = |data: &'static [u8]| ConnectGrant {
        user: "ann".into(),
        expire_at: 99,
        // A line break would end the reply that it stands in.
        info: "{\"n\":         \"A\"}".into(),
        data: Bytes::from_static(data),
        meta: r#"{"plan":"free"}"#.into(),
        subs: [("x".to_owned(), none()), ("y".to_owned(), y.clone()), ("z".to_owned(), none())].into(),
    };
    let anonymous = ConnectGrant::default;
    for (encoding, body, wanted) in [
        // What JSON clients cannot take as it is comes to them as a string.
        (Encoding::Json, full, Ok(grant(br#""AP8=""#))),
        (Encoding::Protobuf, full, Ok(grant(&[0, 255]))),
        (Encoding::Json, r#"{"result":{}}"#, Ok(anonymous())),
        (Encoding::Json, r#"{"result":{"user":"","expire_at":-1,"subs":null}}"#, Ok(anonymous())),
        (Encoding::Json, "{}", Err(Disconnect::BAD_REQUEST.into())),
    ] {
        let app = App::always(Deed::json(body)).await;
        let backend = backend_of(&settings(&app.url));
        let grant = backend.connect(connect_ask(Asker { encoding, ..asker() })).await;
        assert_eq!(grant, wanted, "{encoding:?} {body}");
    }
}

#[tokio::test]
async fn subscribe_publish_and_rpc_are_granted_with_and_without_a_result() {
    let app = App::always(Deed::json("{}")).await;
    let backend = backend_of(&settings(&app.url));
    assert_eq!(backend.subscribe(subscribe_ask(asker())).await, Ok(SubscribeGrant::default()));
    assert_eq!(
        backend.publish(publish_ask(asker(), Data::Json("1".into()))).await,
        Ok(PublishGrant::default())
    );
    assert_eq!(backend.rpc(rpc_ask(asker(), b"1")).await, Ok(Bytes::new()));

    let app = App::always(Deed::json(
        r#"{"result":{"expire_at":7,"info":{},"data":"x","b64data":"AP8=","override":{"presence":{"value":true}},
            "skip_history":true,"tags":{"a":"b"},"idempotency_key":"k","delta":true,"version":3,"version_epoch":"e"}}"#,
    ))
    .await;
    let backend = backend_of(&settings(&app.url));
    let subscribed = SubscribeGrant {
        expire_at: 7,
        info: "{}".into(),
        data: r#""AP8=""#.into(),
        overrides: Overrides { presence: Some(true), ..Overrides::default() },
    };
    assert_eq!(backend.subscribe(subscribe_ask(asker())).await, Ok(subscribed));
    let published = PublishGrant {
        data: Some(Data::Json(r#""x""#.into())),
        skip_history: true,
        tags: [("a".to_owned(), "b".to_owned())].into(),
        idempotency_key: "k".into(),
        delta: true,
        version: 3,
        version_epoch: "e".into(),
    };
    assert_eq!(backend.publish(publish_ask(asker(), Data::Json("1".into()))).await, Ok(published));
    assert_eq!(backend.rpc(rpc_ask(asker(), b"1")).await, Ok(r#""AP8=""#.into()));

    let app = App::always(Deed::json(r#"{"result":{"b64data":"AP8="}}"#)).await;
    let published =
        backend_of(&settings(&app.url)).publish(publish_ask(asker(), Data::Json("1".into()))).await;
    assert_eq!(published.unwrap().data, Some(Data::Binary(Bytes::from_static(&[0, 255]))));
}

#[tokio::test]
async fn a_refresh_goes_on_until_the_application_says_otherwise() {
    let goes = |expire_at, info: &'static str, meta: &'static str| {
        Ok(RefreshAnswer::Goes { expire_at, info: info.into(), meta: meta.into() })
    };
    let denied = ClientError::PERMISSION_DENIED;
    for (deed, wanted) in [
        (Deed::json(r#"{"result":{"expire_at":9,"info":{"a":1},"meta":[2]}}"#), goes(9, r#"{"a":1}"#, "[2]")),
        (Deed::json(r#"{"result":{}}"#), goes(0, "", "")),
        (Deed::json(r#"{"result":{"expired":true,"expire_at":9}}"#), Ok(RefreshAnswer::Expired)),
        (Deed::json("{}"), Ok(RefreshAnswer::Expired)),
        (Deed::json(r#"{"error":{"code":103,"message":"permission denied"}}"#), Err(denied.into())),
        // It is asked again in a minute.
        (Deed::json("junk"), goes(NOW + 60, "", "")),
        (Deed::Answer(502, String::new()), goes(NOW + 60, "", "")),
        (Deed::Close, goes(NOW + 60, "", "")),
    ] {
        let app = App::always(deed.clone()).await;
        let backend = backend_of(&settings(&app.url));
        assert_eq!(backend.refresh(asker()).await, wanted, "{deed:?}");
        assert_eq!(backend.sub_refresh(sub_refresh_ask(asker())).await, wanted, "{deed:?}");
    }
}

#[tokio::test]
async fn a_refusal_has_a_code_that_clients_understand() {
    let error = |code, message: &'static str, temporary| {
        Refusal::Error(ClientError { code, message: message.into(), temporary })
    };
    let disconnect = |code, reason: String| Refusal::Disconnect(Disconnect { code, reason: reason.into() });
    let long = "é".repeat(100);
    let cases = [
        (r#"{"error":{"code":400,"message":"no","temporary":true}}"#.to_owned(), error(400, "no", true)),
        (r#"{"error":{"code":1999},"result":{"user":"x"}}"#.into(), error(1999, "", false)),
        // The server's own codes, which Centrifugo passes on.
        (r#"{"error":{"code":109,"message":"token expired"}}"#.into(), error(109, "token expired", false)),
        (r#"{"disconnect":{"code":3500,"reason":"who?"}}"#.into(), disconnect(3500, "who?".into())),
        (r#"{"disconnect":{"code":4000},"error":{"code":500}}"#.into(), disconnect(4000, String::new())),
        (format!(r#"{{"disconnect":{{"code":4999,"reason":"{long}"}}}}"#), disconnect(4999, "é".repeat(61))),
    ];
    let out_of_range = ["399", "2000", "0", "-1", "99999999999", "4000.5", "\"400\""];
    let out_of_range =
        out_of_range.map(|code| (format!(r#"{{"error":{{"code":{code}}}}}"#), ClientError::INTERNAL.into()));
    let unknown = ["3999", "5000", "1000", "0"];
    let unknown =
        unknown.map(|code| (format!(r#"{{"disconnect":{{"code":{code}}}}}"#), ClientError::INTERNAL.into()));
    for (body, wanted) in cases.into_iter().chain(out_of_range).chain(unknown) {
        let app = App::always(Deed::json(&body)).await;
        assert_eq!(backend_of(&settings(&app.url)).rpc(rpc_ask(asker(), b"")).await, Err(wanted), "{body}");
    }
}

#[tokio::test]
async fn nonsense_is_a_temporary_error_and_is_counted() {
    let internal = || Refusal::from(ClientError::INTERNAL);
    for deed in [
        Deed::Close,
        Deed::CloseMidBody,
        Deed::Flood,
        Deed::Answer(201, r#"{"result":{}}"#.into()),
        Deed::Answer(204, String::new()),
        Deed::Answer(403, r#"{"error":{"code":403}}"#.into()),
        Deed::Answer(500, "<h1>sorry</h1>".into()),
        Deed::Redirect("http://127.0.0.1:1/".into()),
        Deed::json(""),
        Deed::json("null"),
        Deed::json("[]"),
        Deed::json("[null,null,null]"),
        Deed::json("{}{}"),
        Deed::json("\u{feff}{}"),
        Deed::json(r#"{"result":[]}"#),
        Deed::json(r#"{"result":true}"#),
        Deed::json(r#"{"result":{"data":{"a":}}}"#),
        Deed::json(r#"{"result":{"b64data":"!"}}"#),
        Deed::json(r#"{"result":{"b64data":5}}"#),
        Deed::json(r#"{"error":"no"}"#),
        Deed::json(r#"{"error":[400,"no",false]}"#),
    ] {
        let app = App::always(deed.clone()).await;
        let backend = backend_of(&settings(&app.url));
        assert_eq!(backend.rpc(rpc_ask(asker(), b"")).await, Err(internal()), "{deed:?}");
        let stats = backend.stats();
        let rpc = stats.iter().find(|hook| hook.kind == "rpc").unwrap();
        assert_eq!((rpc.answered, rpc.failed, rpc.under_way), (0, 1, 0), "{deed:?}");
    }
    for wrong in [
        "{\"user\":1}",
        "{\"expire_at\":1.5}",
        "{\"channels\":\"a\"}",
        "{\"subs\":[]}",
        "{\"subs\":{\"a\":1}}",
    ] {
        let app = App::always(Deed::json(&format!(r#"{{"result":{wrong}}}"#))).await;
        let backend = backend_of(&settings(&app.url));
        assert_eq!(backend.connect(connect_ask(asker())).await, Err(internal()), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_is_given_up() {
    for deed in [Deed::Hang, Deed::Drip] {
        let app = App::always(deed).await;
        let backend = backend_of(&ProxySettings { timeout: Duration::from_secs(2), ..settings(&app.url) });
        let subscribed = backend.subscribe(subscribe_ask(asker())).await;
        assert_eq!(subscribed, Err(ClientError::INTERNAL.into()));
        assert!(backend.stats().iter().all(|hook| hook.under_way == 0));
    }
}

#[tokio::test]
async fn too_many_questions_are_turned_away_at_once() {
    let app = App::always(Deed::json("{}")).await;
    let backend = backend_of(&settings(&app.url));
    let asked: Vec<_> = (0..UNDER_WAY_LIMIT).map(|_| backend.rpc(rpc_ask(asker(), b""))).collect();
    let one_more = backend.rpc(rpc_ask(asker(), b"")).await;
    assert_eq!(one_more, Err(ClientError::TOO_MANY_REQUESTS.into()));
    // Each backend has a limit of its own.
    assert_eq!(backend.subscribe(subscribe_ask(asker())).await, Ok(SubscribeGrant::default()));
    let rpc = || backend.stats().into_iter().find(|hook| hook.kind == "rpc").unwrap();
    assert_eq!((rpc().under_way, rpc().turned_away), (UNDER_WAY_LIMIT, 1));
    drop(asked);
    assert_eq!(backend.rpc(rpc_ask(asker(), b"")).await, Ok(Bytes::new()));
    assert_eq!((rpc().under_way, rpc().answered), (0, 1));
}

#[tokio::test]
async fn statuses_mean_what_the_settings_say() {
    let gone = Refusal::Disconnect(Disconnect { code: 4504, reason: "gone".into() });
    let missing = Refusal::Error(ClientError { code: 404, message: "not found".into(), temporary: false });
    let transforms = vec![
        StatusTransform { status_code: 404, to: missing.clone() },
        StatusTransform { status_code: 410, to: gone.clone() },
    ];
    for (status, wanted) in [(404, missing), (410, gone), (500, ClientError::INTERNAL.into())] {
        let app = App::always(Deed::Answer(status, "{}".into())).await;
        let proxy = ProxySettings { status_to_code_transforms: transforms.clone(), ..settings(&app.url) };
        let backend = backend_of(&proxy);
        assert_eq!(
            backend.publish(publish_ask(asker(), Data::Json("1".into()))).await,
            Err(wanted),
            "{status}"
        );
    }
}

#[tokio::test]
async fn headers_go_with_every_question() {
    let app = App::always(Deed::json("{}")).await;
    let proxy = ProxySettings {
        http_headers: vec!["Cookie".into()],
        static_headers: [("X-Key".to_owned(), "k".to_owned())].into(),
        ..settings(&app.url)
    };
    let asker = Asker {
        headers: Arc::new([("cookie".into(), "s=1".into()), ("origin".into(), "o".into())]),
        ..asker()
    };
    backend_of(&proxy).subscribe(subscribe_ask(asker)).await.unwrap();
    let seen = &app.seen()[0];
    for (name, value) in [("cookie", "s=1"), ("x-key", "k"), ("content-type", "application/json")] {
        assert_eq!(seen.headers[name], value, "{name}");
    }
    assert!(!seen.headers.contains_key("origin"));
}

#[tokio::test]
async fn what_is_not_configured_is_not_available() {
    let settings = BackendSettings::default();
    let clock = Arc::new(ManualClock::at(0));
    let backend = HttpBackend::new(&Client::new(Handle::current()), &settings, clock).unwrap();
    let refusal = || Refusal::from(ClientError::NOT_AVAILABLE);
    assert_eq!(backend.connect(connect_ask(asker())).await, Err(refusal()));
    assert_eq!(backend.refresh(asker()).await, Err(refusal()));
    assert_eq!(backend.sub_refresh(sub_refresh_ask(asker())).await, Err(refusal()));
    assert_eq!(backend.rpc(rpc_ask(asker(), b"")).await, Err(refusal()));
}

#[tokio::test]
async fn wrong_settings_are_refused_by_name() {
    let transform = |status_code, to: Refusal| vec![StatusTransform { status_code, to }];
    let odd = || Refusal::Error(ClientError { code: 2500, message: "".into(), temporary: false });
    let good = || settings("http://a/");
    for (proxy, says) in [
        (settings("grpc://a"), r#"endpoint "grpc://a""#),
        (ProxySettings { timeout: Duration::ZERO, ..good() }, "timeout is 0"),
        (ProxySettings { http_headers: vec!["a b".into()], ..good() }, r#""a b""#),
        (ProxySettings { status_to_code_transforms: transform(200, odd()), ..good() }, "status 200"),
        (
            ProxySettings { status_to_code_transforms: transform(404, odd()), ..good() },
            "2500 is out of range",
        ),
    ] {
        let settings =
            BackendSettings { rpc: [("mine".to_owned(), proxy)].into(), ..BackendSettings::default() };
        let clock = Arc::new(ManualClock::at(0));
        let said = HttpBackend::new(&Client::new(Handle::current()), &settings, clock).unwrap_err();
        assert!(said.starts_with(r#"rpc proxy "mine": "#) && said.contains(says), "{said}");
    }
}
