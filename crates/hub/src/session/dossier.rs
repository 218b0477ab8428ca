//! What is known of a connection for whoever asks, and no part of its work.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::{Origin, Transport};
use crate::inspect::{Carried, Program, Programs, TRANSPORTS, Trace};

/// What is known of a connection for whoever asks. Every connection has one, so it is small: what only some need is behind a pointer.
#[derive(Debug, Default)]
pub(super) struct Dossier {
    /// In milliseconds since 1970.
    pub(super) connected_at: u64,
    program: Option<Rc<Program>>,
    rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
struct Rare {
    /// From the second one on; the last is the one in use.
    transports: Vec<Carried>,
    trace: Option<Arc<Trace>>,
}

impl Dossier {
    /// The client has connected.
    pub(super) fn open(&mut self, now: u64, programs: &RefCell<Programs>, name: &str, version: &str) {
        self.connected_at = now;
        self.program = programs.borrow_mut().named(name, version);
    }

    /// The client's program and its version, as it says itself.
    pub(super) fn program(&self) -> (&str, &str) {
        self.program.as_ref().map_or(("", ""), |program| (&program.name, &program.version))
    }

    /// The session goes on over another transport, in place of the one before.
    pub(super) fn carry(&mut self, now: u64, before: (Transport, Option<IpAddr>), origin: &Origin) {
        let transports = &mut self.rare.get_or_insert_default().transports;
        if transports.is_empty() {
            let (transport, address) = before;
            transports.push(Carried { at: self.connected_at, transport, address });
        }
        if transports.len() == TRANSPORTS {
            transports.remove(0);
        }
        transports.push(Carried { at: now, transport: origin.transport, address: origin.remote });
    }

    /// What it has listened on, where that is more than one transport.
    pub(super) fn transports(&self) -> &[Carried] {
        self.rare.as_ref().map_or(&[], |rare| &rare.transports)
    }

    pub(super) fn trace(&self) -> Option<&Arc<Trace>> {
        self.rare.as_ref()?.trace.as_ref()
    }

    /// What passes is written down there, or nowhere.
    pub(super) fn set_trace(&mut self, trace: Option<Arc<Trace>>) {
        if trace.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().trace = trace;
        }
    }
}
