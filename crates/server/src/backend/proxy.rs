//! The questions that the application is asked, each a POST.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_hub::Deferred;
use antiphon_hub::backend::{
    Asker, Backend, ConnectAsk, ConnectGrant, PublishAsk, PublishGrant, RefreshAnswer, RpcAsk, SubRefreshAsk,
    SubscribeAsk, SubscribeGrant,
};
use antiphon_hub::clock::Clock;
use antiphon_hub::data::Data;
use antiphon_hub::protocol::{ClientError, Disconnect, Encoding, Refusal};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::headers::HeaderRules;
use super::wire::{
    self, ConnectResult, Nonsense, PublishResult, RefreshResult, RpcResult, Subject, SubscribeResult,
};
use super::{BackendSettings, CallError, Client, Endpoint, ProxySettings};

/// Questions that may be under way to one backend; one more is refused at once.
pub(super) const UNDER_WAY_LIMIT: usize = 1024;

/// How long a connection or a subscription goes on whose backend cannot say whether it does, in seconds.
const GRACE: u64 = 60;

/// The application, asked over HTTP as Centrifugo asks it.
///
/// What it does not answer, in time and in shape, is an [`INTERNAL`](ClientError::INTERNAL) error and a line in the log. Only
/// `refresh` and `sub_refresh` go on for a minute and ask again then, so that an application that is being restarted does not
/// lose its clients.
#[derive(Debug)]
pub(crate) struct HttpBackend {
    connect: Option<Arc<Hook>>,
    refresh: Option<Arc<Hook>>,
    subscribe: BTreeMap<String, Arc<Hook>>,
    publish: BTreeMap<String, Arc<Hook>>,
    sub_refresh: BTreeMap<String, Arc<Hook>>,
    rpc: BTreeMap<String, Arc<Hook>>,
    clock: Arc<dyn Clock>,
}

impl HttpBackend {
    /// Backends that are asked with a client.
    ///
    /// # Errors
    /// When a setting of one is wrong; the sentence names it.
    pub(crate) fn new(
        client: &Client,
        settings: &BackendSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let one = |kind, settings: &Option<ProxySettings>| {
            settings.as_ref().map(|settings| Hook::new(client, kind, DEFAULT, settings)).transpose()
        };
        let named = |kind, all: &BTreeMap<String, ProxySettings>| {
            let hook =
                |(name, settings): (&String, _)| Ok((name.clone(), Hook::new(client, kind, name, settings)?));
            all.iter().map(hook).collect::<Result<_, String>>()
        };
        Ok(Self {
            connect: one("connect", &settings.connect)?,
            refresh: one("refresh", &settings.refresh)?,
            subscribe: named("subscribe", &settings.subscribe)?,
            publish: named("publish", &settings.publish)?,
            sub_refresh: named("sub_refresh", &settings.sub_refresh)?,
            rpc: named("rpc", &settings.rpc)?,
            clock,
        })
    }

    /// How every backend does.
    pub(crate) fn stats(&self) -> Vec<HookStats> {
        let named = [&self.subscribe, &self.publish, &self.sub_refresh, &self.rpc];
        let named = named.into_iter().flat_map(|hooks| hooks.values());
        self.connect.iter().chain(&self.refresh).chain(named).map(|hook| hook.stats()).collect()
    }

    /// What becomes of a connection or subscription for which the backend said this.
    fn refreshed(
        &self,
        asked: impl Future<Output = Result<Option<RefreshAnswer>, Unanswered>> + Send + 'static,
    ) -> Deferred<Result<RefreshAnswer, Refusal>> {
        let clock = Arc::clone(&self.clock);
        Deferred::later(async move {
            match asked.await {
                Ok(answer) => Ok(answer.unwrap_or(RefreshAnswer::Expired)),
                Err(Unanswered::Refused(refusal)) => Err(refusal),
                Err(Unanswered::Failed(_)) => {
                    let expire_at = clock.unix() + GRACE;
                    Ok(RefreshAnswer::Goes { expire_at, info: Bytes::new(), meta: Bytes::new() })
                }
            }
        })
    }
}

/// The name of the backend that is asked where none is named.
const DEFAULT: &str = "default";

fn find<'a>(
    hooks: &'a BTreeMap<String, Arc<Hook>>,
    kind: &str,
    name: &str,
) -> Result<&'a Arc<Hook>, Refusal> {
    let name = if name.is_empty() { DEFAULT } else { name };
    hooks.get(name).ok_or_else(|| missing(kind, name))
}

fn missing(kind: &str, name: &str) -> Refusal {
    tracing::error!("there is no {kind} proxy {name:?} in the configuration");
    ClientError::NOT_AVAILABLE.into()
}

impl Backend for HttpBackend {
    fn connect(&self, ask: ConnectAsk) -> Deferred<Result<ConnectGrant, Refusal>> {
        let Some(hook) = &self.connect else { return Deferred::now(Err(missing("connect", DEFAULT))) };
        let subject = Subject {
            data: Some(Cow::Owned(Data::Binary(ask.data))),
            name: &ask.name,
            version: &ask.version,
            channels: &ask.channels,
            ..Subject::default()
        };
        let asked = hook.ask(&ask.asker, &subject, ConnectResult::grant);
        // Who is nobody's user, not even anonymous, has not said who it is.
        Deferred::later(async move { asked.await?.ok_or(Disconnect::BAD_REQUEST.into()) })
    }

    fn refresh(&self, asker: Asker) -> Deferred<Result<RefreshAnswer, Refusal>> {
        let Some(hook) = &self.refresh else { return Deferred::now(Err(missing("refresh", DEFAULT))) };
        let subject = Subject { connected: true, ..Subject::default() };
        self.refreshed(hook.ask(&asker, &subject, |result: RefreshResult, _| result.answer()))
    }

    fn subscribe(&self, ask: SubscribeAsk) -> Deferred<Result<SubscribeGrant, Refusal>> {
        let hook = match find(&self.subscribe, "subscribe", &ask.proxy) {
            Ok(hook) => hook,
            Err(refusal) => return Deferred::now(Err(refusal)),
        };
        let subject = Subject {
            data: Some(Cow::Owned(Data::Binary(ask.data))),
            channel: &ask.channel,
            token: &ask.token,
            connected: true,
            ..Subject::default()
        };
        let asked = hook.ask(&ask.asker, &subject, SubscribeResult::grant);
        Deferred::later(async move { Ok(asked.await?.unwrap_or_default()) })
    }

    fn publish(&self, ask: PublishAsk) -> Deferred<Result<PublishGrant, Refusal>> {
        let hook = match find(&self.publish, "publish", &ask.proxy) {
            Ok(hook) => hook,
            Err(refusal) => return Deferred::now(Err(refusal)),
        };
        let subject = Subject {
            data: Some(Cow::Borrowed(&ask.data)),
            channel: &ask.channel,
            connected: true,
            ..Subject::default()
        };
        let asked = hook.ask(&ask.asker, &subject, |result: PublishResult, _| result.grant());
        Deferred::later(async move { Ok(asked.await?.unwrap_or_default()) })
    }

    fn sub_refresh(&self, ask: SubRefreshAsk) -> Deferred<Result<RefreshAnswer, Refusal>> {
        let hook = match find(&self.sub_refresh, "sub_refresh", &ask.proxy) {
            Ok(hook) => hook,
            Err(refusal) => return Deferred::now(Err(refusal)),
        };
        let subject = Subject { channel: &ask.channel, connected: true, ..Subject::default() };
        self.refreshed(hook.ask(&ask.asker, &subject, |result: RefreshResult, _| result.answer()))
    }

    fn rpc(&self, ask: RpcAsk) -> Deferred<Result<Bytes, Refusal>> {
        let hook = match find(&self.rpc, "rpc", &ask.proxy) {
            Ok(hook) => hook,
            Err(refusal) => return Deferred::now(Err(refusal)),
        };
        let subject = Subject {
            data: Some(Cow::Owned(Data::Binary(ask.data))),
            method: &ask.method,
            connected: true,
            ..Subject::default()
        };
        let asked = hook.ask(&ask.asker, &subject, RpcResult::data);
        Deferred::later(async move { Ok(asked.await?.unwrap_or_default()) })
    }
}

/// Why there is no result.
enum Unanswered {
    /// The application says no.
    Refused(Refusal),
    /// It says nothing that is of use.
    Failed(ClientError),
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused(refusal) => refusal,
            Unanswered::Failed(error) => error.into(),
        }
    }
}

/// One backend, for one kind of question.
struct Hook {
    kind: &'static str,
    name: String,
    settings: ProxySettings,
    endpoint: Endpoint,
    headers: HeaderRules,
    client: Client,
    free: Arc<Semaphore>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    answered: AtomicU64,
    failed: AtomicU64,
    turned_away: AtomicU64,
    micros: AtomicU64,
}

impl Hook {
    fn new(
        client: &Client,
        kind: &'static str,
        name: &str,
        settings: &ProxySettings,
    ) -> Result<Arc<Self>, String> {
        let wrong = |said: String| format!("{kind} proxy {name:?}: {said}");
        if settings.timeout.is_zero() {
            return Err(wrong("timeout is 0, in which nothing can be answered; the default is 1s".into()));
        }
        for transform in &settings.status_to_code_transforms {
            let status = transform.status_code;
            if status == 200 || StatusCode::from_u16(status).is_err() {
                return Err(wrong(format!(
                    "status_to_code_transforms: no answer that fails has status {status}"
                )));
            }
            wire::check(transform.to.clone())
                .map_err(|said| wrong(format!("status_to_code_transforms: status {status}: {said}")))?;
        }
        let headers =
            HeaderRules::new(&settings.static_headers, &settings.http_headers, &settings.emulated_headers);
        Ok(Arc::new(Self {
            kind,
            name: name.into(),
            endpoint: Endpoint::parse(&settings.endpoint).map_err(wrong)?,
            headers: headers.map_err(wrong)?,
            settings: settings.clone(),
            client: client.clone(),
            free: Arc::new(Semaphore::new(UNDER_WAY_LIMIT)),
            counters: Counters::default(),
        }))
    }

    /// Asks, at once, and reads the result, which may be missing.
    fn ask<T, G>(
        self: &Arc<Self>,
        asker: &Asker,
        subject: &Subject<'_>,
        read: fn(T, Encoding) -> Result<G, Nonsense>,
    ) -> impl Future<Output = Result<Option<G>, Unanswered>> + Send + 'static + use<T, G>
    where
        T: for<'de> Deserialize<'de> + Send + 'static,
        G: Send + 'static,
    {
        let hook = Arc::clone(self);
        let (client, encoding) = (Arc::clone(&asker.client), asker.encoding);
        let call = match Arc::clone(&self.free).try_acquire_owned() {
            Err(_) => Err(self.turned_away(&client)),
            Ok(permit) => match wire::question(&self.settings, asker, subject) {
                Err(said) => Err(self.failed(&client, &said)),
                Ok(body) => {
                    let headers = self.headers.apply(asker);
                    Ok((permit, self.client.post(&self.endpoint, headers, body, self.settings.timeout)))
                }
            },
        };
        async move {
            let (_permit, call) = call?;
            let began = Instant::now();
            let outcome = call.await;
            hook.counters.micros.fetch_add(micros(began), Ordering::Relaxed);
            let outcome = outcome.map_err(|error| Nonsense(error.to_string())).and_then(|response| {
                let status = response.status();
                if status == StatusCode::OK {
                    return wire::answer::<T>(response.body());
                }
                let mut transforms = hook.settings.status_to_code_transforms.iter();
                let transform = transforms.find(|transform| transform.status_code == status.as_u16());
                let transform = transform.ok_or_else(|| Nonsense(CallError::Status(status).to_string()))?;
                wire::check(transform.to.clone()).map(Err)
            });
            let outcome = outcome.and_then(|answer| match answer {
                Ok(result) => Ok(Ok(result.map(|result| read(result, encoding)).transpose()?)),
                Err(refusal) => Ok(Err(refusal)),
            });
            let answer = outcome.map_err(|said| hook.failed(&client, &said))?;
            hook.counters.answered.fetch_add(1, Ordering::Relaxed);
            answer.map_err(Unanswered::Refused)
        }
    }

    fn failed(&self, client: &str, said: &Nonsense) -> Unanswered {
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        let Self { kind, name, endpoint, .. } = self;
        tracing::error!(hook = kind, name, %endpoint, client, "the application's answer is of no use: {said}");
        Unanswered::Failed(ClientError::INTERNAL)
    }

    fn turned_away(&self, client: &str) -> Unanswered {
        self.counters.turned_away.fetch_add(1, Ordering::Relaxed);
        let Self { kind, name, endpoint, .. } = self;
        tracing::debug!(hook = kind, name, %endpoint, client, "{UNDER_WAY_LIMIT} questions are under way; not asked");
        Unanswered::Failed(ClientError::TOO_MANY_REQUESTS)
    }

    fn stats(&self) -> HookStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HookStats {
            kind: self.kind,
            name: self.name.clone(),
            answered: count(&self.counters.answered),
            failed: count(&self.counters.failed),
            turned_away: count(&self.counters.turned_away),
            under_way: UNDER_WAY_LIMIT - self.free.available_permits(),
            micros: count(&self.counters.micros),
        }
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({} {} {})", self.kind, self.name, self.endpoint)
    }
}

/// How a backend does, since the server began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookStats {
    /// What it is asked: `connect`, `subscribe`, ...
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// Questions with an answer, be it a refusal.
    pub(crate) answered: u64,
    /// Questions without an answer that is of use.
    pub(crate) failed: u64,
    /// Questions that were not asked for too many were under way.
    pub(crate) turned_away: u64,
    /// Questions under way.
    pub(crate) under_way: usize,
    /// Microseconds that all answers and failures together took.
    pub(crate) micros: u64,
}
