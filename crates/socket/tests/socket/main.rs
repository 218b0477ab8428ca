//! The socket over streams that do as they are told, in virtual time, and over real TCP.

mod cancel;
mod driving;
mod harness;
mod turn;
