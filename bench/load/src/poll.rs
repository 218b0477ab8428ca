//! Readiness without sleep: epoll, asked over and over. The generator has a processor of its own; if it slept, the
//! server would pay for waking it with every write.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// How long nothing may happen before a run is given up.
const STALL: Duration = Duration::from_secs(10);

pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
    quiet_since: Instant,
}

/// What is ready.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    pub token: usize,
    pub readable: bool,
    pub writable: bool,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC).context("epoll_create")?,
            events: Vec::with_capacity(1024),
            quiet_since: Instant::now(),
        })
    }

    /// Edge-triggered for both directions, so that nothing need be changed later.
    pub(crate) fn add(&self, socket: impl AsFd, token: usize) -> Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(token as u64), flags).context("epoll_ctl")
    }

    /// What has become ready since the last turn, perhaps nothing.
    ///
    /// # Errors
    /// When nothing has become ready for ten seconds; `what` is what was waited for.
    pub(crate) fn turn<'a>(
        &'a mut self,
        what: &dyn Fn() -> String,
    ) -> Result<impl Iterator<Item = Ready> + use<'a>> {
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut self.events),
            Some(&Timespec { tv_sec: 0, tv_nsec: 0 }),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e).context("epoll_wait"),
        }
        if !self.events.is_empty() {
            self.quiet_since = Instant::now();
        } else if self.quiet_since.elapsed() > STALL {
            bail!("nothing came from the server for {} s while waiting for {}", STALL.as_secs(), what());
        }
        Ok(self.events.iter().map(|event| {
            let flags = event.flags;
            Ready {
                token: event.data.u64() as usize,
                readable: flags
                    .intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
                writable: flags.intersects(EventFlags::OUT | EventFlags::ERR),
            }
        }))
    }

    /// Starts the patience anew, after a time in which nobody asked.
    pub(crate) fn rested(&mut self) {
        self.quiet_since = Instant::now();
    }
}
