//! Compressing and decompressing the payload of messages (RFC 7692 §7.2).
