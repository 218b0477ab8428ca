//! The server API on a node with an engine in memory and one worker.

mod channels;
mod clients;
mod publish;
mod rig;
