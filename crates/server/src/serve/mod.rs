//! `antiphon serve`: puts the parts together, starts the workers, and ends them.

mod assembly;
mod gate;
mod listener;
mod rates;
mod roster;
mod settings;
mod worker;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use antiphon_hub::Node;
use antiphon_hub::engine::memory::MemoryEngine;
use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::admin::{Door, Series};
use crate::agent;
use crate::backend::Client;
use crate::cli::ServeArgs;
use crate::config::{Config, Layers};
use crate::metrics::Counts;
use crate::resident::Outboxes;
use crate::tls::acme::Keeper;
use crate::tls::{self, Tls};
use crate::{log, trace};

pub(crate) use assembly::Application;
use listener::Listening;

pub(crate) use gate::{Full, Gate, Pass, Transport};
pub(crate) use rates::{Rate, Rates};
pub(crate) use roster::{Roster, Seat};
pub(crate) use settings::Settings;
pub(crate) use worker::Worker;

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) settings: ArcSwap<Settings>,
    pub(crate) node: Arc<Node>,
    pub(crate) engine: Arc<MemoryEngine>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counts: Counts,
    pub(crate) application: Application,
    /// For the listeners that speak TLS; none if there is none.
    pub(crate) tls: Option<Tls>,
    pub(crate) outboxes: Outboxes,
    /// Who gets at the inspector.
    pub(crate) door: Door,
    /// How the server has been doing.
    pub(crate) series: Arc<Series>,
    /// The configuration file; none in development mode.
    pub(crate) file: Option<PathBuf>,
}

/// How often what has expired is forgotten, and how often the server looks at how it does.
const TICK: Duration = Duration::from_secs(1);

/// Runs the server until a signal ends it.
///
/// # Errors
/// When the settings are wrong or an address cannot be listened on; the sentence says what to do.
pub(crate) fn run(args: ServeArgs, log: Option<&str>) -> Result<(), String> {
    let development = args.config.is_none();
    let environment = std::env::vars_os();
    let environment = environment.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let layers = Layers {
        file: args.config,
        environment: environment.collect(),
        listen: args.listen,
        workers: args.workers,
    };
    let (config, origins) = layers.resolve_with_origins().map_err(|e| e.to_string())?;
    let exposed = config.http.addresses().find(|address| !address.ip().is_loopback());
    if let (true, false, Some(address)) = (development, args.insecure, exposed) {
        return Err(format!(
            "in development mode everybody may connect, subscribe and publish, and {address} can be reached from other \
             machines; give a configuration file with --config, or --insecure if that is what you want"
        ));
    }
    // What is no worker's runs here: signals, and calls of the application.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("the event loop: {e}"))?;
    let traced = trace::start(&config.opentelemetry, || Client::new(runtime.handle().clone()))?;
    let (exporter, spans) = traced.unzip();
    log::start(log, &config.log, spans)?;
    // More connections than descriptors is the usual first limit that a server meets.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let workers = match config.http.workers {
        0 => {
            thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
        }
        workers => workers,
    };
    let application = Application::new(&config, runtime.handle().clone())?;
    let (node, engine) = application.node(&config, workers)?;

    let (tls, keeper) = tls(&config, args.tls_dev)?.unzip();
    let keeper = keeper.flatten();
    let mut urls = Vec::new();
    let mut sockets: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    let plain = config.http.listen_plain.iter().map(|address| (address, false));
    for (&address, is_tls) in config.http.listen.iter().map(|address| (address, tls.is_some())).chain(plain) {
        let (address, listeners) =
            listener::bind(address, workers).map_err(|e| format!("{address} cannot be listened on: {e}"))?;
        urls.push(format!("http{}://{address}", if is_tls { "s" } else { "" }));
        let listeners = listeners.into_iter().map(|socket| Listening { socket, is_tls });
        sockets.iter_mut().zip(listeners).for_each(|(sockets, listening)| sockets.push(listening));
    }
    let door = Door::new(&config.admin, development)?;
    let settings = Settings::new(config, origins, development)?;
    let (outboxes, inboxes): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
    let shared = Arc::new(Shared {
        settings: ArcSwap::from_pointee(settings),
        node,
        engine,
        gate: Arc::default(),
        counts: Counts::default(),
        application,
        tls,
        outboxes: outboxes.into(),
        door,
        series: Arc::default(),
        file: layers.file.clone(),
    });

    // Before anybody knows that the server is there, and may signal it.
    let signals = {
        let _runtime = runtime.enter();
        Signals::catch()?
    };
    let (drain, draining) = watch::channel(false);
    let (ended, endings) = mpsc::unbounded_channel();
    for ((id, listeners), inbox) in (0..workers).zip(sockets).zip(inboxes) {
        let (shared, draining, ended) = (Arc::clone(&shared), draining.clone(), ended.clone());
        thread::Builder::new()
            .name(format!("worker-{id}"))
            .spawn(move || {
                let outcome = worker::run(id, shared, listeners, inbox, draining);
                // Nobody listens any more once the main thread has given up waiting.
                let _ = ended.send(outcome);
            })
            .map_err(|e| format!("worker {id} cannot be started: {e}"))?;
    }
    drop(ended);
    if let (Some(keeper), Some(tls)) = (keeper, shared.tls.clone()) {
        runtime.spawn(keeper.keep(tls));
    }
    if development {
        runtime.spawn(agent::feed(Arc::clone(&shared)));
    }
    announce(&shared, &urls);
    let outcome = runtime.block_on(supervise(&shared, &layers, &drain, endings, signals));
    if let Some(exporter) = exporter {
        runtime.block_on(exporter.flush());
    }
    outcome
}

/// The signals that the server answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on they do not end the process by themselves.
    ///
    /// # Errors
    /// When the operating system does not let them be caught.
    fn catch() -> Result<Self, String> {
        let catch = |kind| signal(kind).map_err(|e| format!("signals cannot be caught: {e}"));
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }
}

/// Waits for a signal, then for the workers.
async fn supervise(
    shared: &Shared,
    layers: &Layers,
    drain: &watch::Sender<bool>,
    mut endings: mpsc::UnboundedReceiver<io::Result<()>>,
    Signals { mut terminate, mut interrupt, mut hangup }: Signals,
) -> Result<(), String> {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            name = either(&mut terminate, &mut interrupt) => {
                tracing::info!("{name}: closing all connections; a second signal ends the server at once");
                break;
            }
            _ = hangup.recv() => match reload(shared, layers) {
                Ok(()) => tracing::info!("SIGHUP: the settings were read again"),
                Err(error) => tracing::error!("SIGHUP: the settings stay as they were: {error}"),
            },
            _ = tick.tick() => {
                shared.node.tick();
                shared.series.sample(shared);
            }
            // A worker ends by itself only when it fails.
            ending = endings.recv() => return Err(failure(ending)),
        }
    }
    drain.send_replace(true);
    let timeout = shared.settings.load().config.shutdown.drain_timeout;
    tokio::select! {
        () = async { while let Some(Ok(())) = endings.recv().await {} } => tracing::info!("all connections are closed"),
        () = tokio::time::sleep(timeout.0) => tracing::warn!("some connections were not closed within {timeout}"),
        name = either(&mut terminate, &mut interrupt) => return Err(format!("ended by a second {name}")),
    }
    if let Some(events) = &shared.application.events {
        events.clone().flush(timeout.0).await;
    }
    Ok(())
}

/// How the server speaks TLS, if it does, and what keeps its certificate good where it gets that by itself.
///
/// # Errors
/// When the certificate and its key cannot be had; the sentence names the setting.
fn tls(config: &Config, development: bool) -> Result<Option<(Tls, Option<Keeper>)>, String> {
    let protocols: &[&str] = if config.http2.disabled { &["http/1.1"] } else { &["h2", "http/1.1"] };
    let (identity, keeper) = match (config.tls.has_files(), config.tls.acme.is_set(), development) {
        (false, false, false) => return Ok(None),
        (false, false, true) => {
            let made = tls::self_signed()?;
            tracing::info!("TLS with a certificate made for this run; its SHA-256 is {}", made.fingerprint);
            (made.identity, None)
        }
        (_, _, true) => {
            return Err(
                "there is a certificate in [tls], so --tls-dev makes none; give one of the two".into()
            );
        }
        (_, true, false) => {
            let (keeper, identity) = Keeper::new(&config.tls.acme)?;
            (identity, Some(keeper))
        }
        (true, false, false) => (tls::load(&config.tls.cert, &config.tls.key)?, None),
    };
    Ok(Some((Tls::new(identity, protocols)?, keeper)))
}

/// Reads the settings again. Connections keep what they began with; what they do from now on is held to the new rules.
///
/// # Errors
/// When the settings are wrong, or one that holds for the whole run has changed; then nothing has.
fn reload(shared: &Shared, layers: &Layers) -> Result<(), String> {
    let (config, origins) = layers.resolve_with_origins().map_err(|e| e.to_string())?;
    let before = shared.settings.load();
    if config.http != before.config.http {
        return Err("[http] cannot change while the server runs".into());
    }
    if config.http2.disabled != before.config.http2.disabled {
        return Err("http2.disabled cannot change while the server runs".into());
    }
    if config.tls.has_files() != before.config.tls.has_files() {
        return Err("[tls] cannot be switched on or off while the server runs".into());
    }
    if config.tls.acme != before.config.tls.acme {
        return Err("[tls.acme] cannot change while the server runs".into());
    }
    let identity =
        config.tls.has_files().then(|| tls::load(&config.tls.cert, &config.tls.key)).transpose()?;
    let (rules, keys) = shared.application.rules(&config)?;
    shared.application.reload(&config)?;
    let settings = Settings::new(config, origins, before.development)?;
    shared.node.reload(rules, keys);
    if let (Some(tls), Some(identity)) = (&shared.tls, identity) {
        tls.show(identity);
    }
    shared.settings.store(Arc::new(settings));
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

fn failure(ending: Option<io::Result<()>>) -> String {
    match ending {
        Some(Err(error)) => format!("a worker cannot run: {error}"),
        _ => "a worker ended".into(),
    }
}

/// Says where the server is: for programs a line for each address on standard output, for people the rest on standard error.
fn announce(shared: &Shared, urls: &[String]) {
    let mut out = String::new();
    for url in urls {
        out.push_str(&format!("listening on {url}\n"));
    }
    // A reader that does not care is no reason to stop.
    let _ = io::stdout().write_all(out.as_bytes());
    if let (true, Some(first)) = (shared.settings.load().development, urls.first()) {
        let token = shared.door.made().map_or(String::new(), |token| format!("#token={token}"));
        let socket = first.replacen("http", "ws", 1);
        let _ = write!(
            io::stderr(),
            "\n  Antiphon {}, in development mode: everybody who reaches it may connect, subscribe and publish.\n\
             \n    demo            {first}/\
             \n    plain page      {first}/plain.html\
             \n    client protocol {socket}/connection/websocket\
             \n    event stream    {first}/events?channel=CHANNEL\
             \n    raw channels    {socket}/raw/CHANNEL\
             \n    echo            {socket}/echo\
             \n    server API      {first}/api\
             \n    metrics         {first}/metrics\
             \n    inspector       {first}/admin/{token}\
             \n\n  Start it with --config FILE to set it up for others. Ctrl-C ends it.\n\n",
            env!("CARGO_PKG_VERSION")
        );
    }
}
