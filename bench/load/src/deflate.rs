//! Message payloads under permessage-deflate (RFC 7692 §7.2), each compressed on its own.

use anyhow::{Context, Result, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// What a compressor appends at a sync flush, and a message leaves out (§7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// One message that refers to nothing before it, so it stays valid however often it is sent.
pub(crate) fn compress(payload: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(payload.len() + 64);
    Compress::new(Compression::default(), false)
        .compress_vec(payload, &mut out, FlushCompress::Sync)
        .context("compressing a payload")?;
    ensure!(out.ends_with(&TAIL), "the compressor did not end in a sync flush");
    out.truncate(out.len() - TAIL.len());
    Ok(out)
}

/// The receiving side of one connection.
pub(crate) struct Inflater {
    state: Decompress,
    /// Whether a message may refer to those before it.
    takeover: bool,
}

impl Inflater {
    pub(crate) fn new(takeover: bool) -> Self {
        Self { state: Decompress::new(false), takeover }
    }

    pub(crate) fn takeover(&self) -> bool {
        self.takeover
    }

    /// Whether `message` inflates to exactly `payload`.
    pub(crate) fn inflates_to(&mut self, message: &[u8], payload: &[u8]) -> Result<bool> {
        if !self.takeover {
            self.state.reset(false);
        }
        let before = self.state.total_in();
        let input = [message, &TAIL].concat();
        let mut out = Vec::with_capacity(payload.len() + 64);
        self.state.decompress_vec(&input, &mut out, FlushDecompress::Sync).context("inflating a reply")?;
        Ok(out == payload && self.state.total_in() - before == input.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_and_a_changed_one_does_not() {
        let payload = crate::payload::Kind::Json.make(1024, 1);
        let message = compress(&payload).expect("compresses");
        assert!(message.len() * 2 < payload.len(), "{} bytes", message.len());
        for takeover in [false, true] {
            let mut inflater = Inflater::new(takeover);
            for _ in 0..3 {
                assert!(inflater.inflates_to(&message, &payload).expect("valid"));
            }
        }
        let mut other = payload;
        other[500] ^= 1;
        assert!(!Inflater::new(false).inflates_to(&message, &other).expect("valid"));
    }
}
