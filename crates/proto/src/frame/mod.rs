//! Frames on the wire (RFC 6455 §5).

pub(crate) mod close;
pub(crate) mod header;
pub(crate) mod mask;
pub(crate) mod opcode;
