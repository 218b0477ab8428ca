//! What the fuzz targets do with their input. Each module is one target: its `run` takes any bytes, and panics where the
//! engine breaks a promise.

pub mod connection;
pub mod deflate;
pub mod driver;
pub mod frame;
pub mod handshake;
pub mod input;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 4] = [
    ("frame", frame::run),
    ("connection", connection::run),
    ("deflate", deflate::run),
    ("handshake", handshake::run),
];
