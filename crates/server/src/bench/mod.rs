//! `antiphon bench`: how fast a server is, seen from outside.

mod echo;
mod histogram;
mod report;

pub(crate) use echo::run as echo;
