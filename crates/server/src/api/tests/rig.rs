//! A node without an application, and requests to it.

use std::sync::Arc;

use antiphon_hub::auth::{Fetch, TokenOptions, Verifier};
use antiphon_hub::backend::{
    Asker, Backend, ConnectAsk, ConnectGrant, Events, Occurrence, PublishAsk, PublishGrant, RefreshAnswer,
    RpcAsk, SubRefreshAsk, SubscribeAsk, SubscribeGrant,
};
use antiphon_hub::clock::ManualClock;
use antiphon_hub::engine::memory::MemoryEngine;
use antiphon_hub::options::{ChannelOptions, Namespace};
use antiphon_hub::presence::Presence as _;
use antiphon_hub::presence::memory::MemoryPresence;
use antiphon_hub::protocol::{ClientError, ClientInfo, Refusal};
use antiphon_hub::rules::{RuleBook, Rules};
use antiphon_hub::{Deferred, Hub, Keys, Node, NodeParts, Span};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde_json::Value;

use crate::api::{Access, answer};

/// When tests begin, in seconds since 1970.
pub(super) const NOW: u64 = 1_700_000_000;

/// A node with one namespace, `kept`, which has history and presence; `ann` is in `kept:room`.
pub(super) fn node() -> Arc<Node> {
    let clock = Arc::new(ManualClock::at(NOW * 1000));
    let hub = Arc::new(Hub::new(1));
    let engine = MemoryEngine::new(Arc::clone(&hub) as _, Arc::clone(&clock) as _);
    let options = ChannelOptions {
        history_size: 10,
        history_ttl: Span::seconds(60),
        presence: true,
        ..ChannelOptions::default()
    };
    let namespaces = vec![Namespace { name: "kept".into(), options }];
    let presence = MemoryPresence::new();
    let ann = ClientInfo {
        user: "ann".into(),
        client: "c1".into(),
        conn_info: r#"{"name":"Ann"}"#.into(),
        ..ClientInfo::default()
    };
    // Memory answers at once.
    drop(presence.add("kept:room", Arc::new(ann)));
    let verifier =
        Verifier::new(&TokenOptions::default(), Arc::new(Nobody), Arc::clone(&clock) as _).unwrap();
    let verifier = Arc::new(verifier);
    let node = Node::new(NodeParts {
        rules: Rules::new(RuleBook { namespaces, ..RuleBook::default() }).unwrap(),
        keys: Keys { connect: Arc::clone(&verifier), subscribe: verifier },
        engine: Arc::new(engine),
        presence: Arc::new(presence),
        backend: Arc::new(Nobody),
        events: Arc::new(Nobody),
        hub,
        clock,
        detach: Box::new(|_| {}),
        version: "1.2.3",
    });
    Arc::new(node.with_name("here"))
}

/// What stands in a response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) text: String,
}

impl Response {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.content_type, "application/json", "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Asks with these headers.
pub(super) async fn ask_with(
    node: &Arc<Node>,
    access: &Access,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let request =
        headers.iter().fold(Request::post(target), |request, (name, value)| request.header(*name, *value));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let method = parts.uri.path().trim_start_matches("/api").trim_start_matches('/').to_owned();
    let response = answer(node, access, &parts, &method, Bytes::copy_from_slice(body.as_bytes())).await;
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Response { status, content_type, text: String::from_utf8(body.to_vec()).unwrap() }
}

/// Asks where no key is needed.
pub(super) async fn ask(node: &Arc<Node>, method: &str, body: &str) -> Response {
    ask_with(node, &Access::new("", true), &format!("/api/{method}"), &[], body).await
}

/// An application that answers nothing.
#[derive(Debug)]
struct Nobody;

fn no<T>() -> Deferred<Result<T, Refusal>> {
    Deferred::now(Err(ClientError::NOT_AVAILABLE.into()))
}

impl Backend for Nobody {
    fn connect(&self, _: ConnectAsk) -> Deferred<Result<ConnectGrant, Refusal>> {
        no()
    }

    fn refresh(&self, _: Asker) -> Deferred<Result<RefreshAnswer, Refusal>> {
        no()
    }

    fn subscribe(&self, _: SubscribeAsk) -> Deferred<Result<SubscribeGrant, Refusal>> {
        no()
    }

    fn publish(&self, _: PublishAsk) -> Deferred<Result<PublishGrant, Refusal>> {
        no()
    }

    fn sub_refresh(&self, _: SubRefreshAsk) -> Deferred<Result<RefreshAnswer, Refusal>> {
        no()
    }

    fn rpc(&self, _: RpcAsk) -> Deferred<Result<Bytes, Refusal>> {
        no()
    }
}

impl Events for Nobody {
    fn tell(&self, _: Occurrence<'_>) {}
}

impl Fetch for Nobody {
    fn fetch(&self, _: &str) -> Deferred<Result<Bytes, String>> {
        Deferred::now(Err("there is no network".into()))
    }
}
