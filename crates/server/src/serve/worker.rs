//! One worker: a thread with an event loop, listening sockets and connections of its own.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_socket::rustls::ServerConfig;
use tokio::net;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::spawn_local;

use antiphon_hub::clock::{Clock as _, SystemClock};
use antiphon_hub::{Local, Node, WorkerId};

use super::listener::Listening;
use super::{Roster, Settings, Shared};
use crate::http;
use crate::resident::{self, Inbox, Lines};
use crate::tls::Tls;

/// What the connections of one worker share. None of it is locked, for none of it leaves the worker's thread.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    pub(crate) node: Arc<Node>,
    pub(crate) local: Rc<Local>,
    pub(crate) roster: Rc<Roster>,
    /// The sessions that can be asked for.
    pub(crate) lines: Lines,
    id: WorkerId,
}

impl Worker {
    /// The settings as they are now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.shared.settings.load_full()
    }

    /// Which of the workers it is.
    pub(crate) fn id(&self) -> WorkerId {
        self.id
    }

    /// What all workers share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// So many tasks have their turn before the operating system is asked what else has come. Asking costs a system call,
/// and a turn a few microseconds: with tokio's 61 a busy worker asks eight times as often.
const TASKS_PER_POLL: u32 = 512;

/// Runs a worker on the current thread until `drain` turns true and its connections have gone.
///
/// # Errors
/// When the event loop or a listening socket cannot be set up.
pub(super) fn run(
    id: WorkerId,
    shared: Arc<Shared>,
    listeners: Vec<Listening>,
    inbox: Inbox,
    mut drain: watch::Receiver<bool>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(TASKS_PER_POLL)
        .build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let node = Arc::clone(&shared.node);
        let worker = Rc::new(Worker {
            local: Local::new(Arc::clone(node.hub()), Arc::clone(node.metrics()), id),
            node,
            shared,
            roster: Rc::new(Roster::new(Instant::now())),
            lines: Lines::default(),
            id,
        });
        let mut accepting = Vec::new();
        for Listening { socket, is_tls } in listeners {
            let listener = net::TcpListener::from_std(socket)?;
            let tls = worker.shared.tls.as_ref().filter(|_| is_tls).map(Tls::server);
            accepting.push(spawn_local(accept(Rc::clone(&worker), listener, tls)));
        }
        spawn_local(deliver(Rc::clone(&worker)));
        spawn_local(answer(Rc::clone(&worker)));
        spawn_local(resident::serve(Rc::clone(&worker), inbox));
        let roster = Rc::clone(&worker.roster);
        spawn_local(async move { roster.turn().await });

        // An error means that the main thread has gone, which is an end as well.
        let _ = drain.wait_for(|drain| *drain).await;
        for task in accepting {
            task.abort();
            // Waits until the listening socket is closed.
            let _ = task.await;
        }
        let shutdown = worker.settings().config.shutdown.clone();
        worker.roster.drain(shutdown.drain_window.0.min(shutdown.drain_timeout.0)).await;
        worker.roster.emptied().await;
        Ok(())
    })
}

/// How long to wait when no connection can be accepted, as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

async fn accept(worker: Rc<Worker>, listener: net::TcpListener, tls: Option<Arc<ServerConfig>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A message is written whole: nothing is gained by waiting for more of it.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection ended before it was served");
                    continue;
                }
                match &tls {
                    Some(tls) => {
                        spawn_local(http::serve_tls(Rc::clone(&worker), stream, Arc::clone(tls), peer.ip()))
                    }
                    None => spawn_local(http::serve(Rc::clone(&worker), stream.into(), peer.ip())),
                };
            }
            // A peer that has gone again is no trouble of this server's.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted; trying again in {PAUSE:?}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers what the inspector asks, for ever.
async fn answer(worker: Rc<Worker>) {
    loop {
        std::future::poll_fn(|cx| worker.local.poll_asked(cx)).await;
        worker.local.answer(Instant::now(), SystemClock.unix_ms());
        // Clients have their turns between two of these, however many connections are looked at.
        tokio::task::yield_now().await;
    }
}

/// Delivers what the other workers publish, for ever.
async fn deliver(worker: Rc<Worker>) {
    loop {
        std::future::poll_fn(|cx| worker.node.hub().poll_some(worker.id, cx)).await;
        worker.local.deliver();
        // Others get their turn, however much comes.
        tokio::task::yield_now().await;
    }
}
