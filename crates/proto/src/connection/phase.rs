//! The closing machine (RFC 6455 §7).
//!
//! ```text
//!            close                   the peer's Close
//!   Open ─────────────► CloseSent ──────────────────────┐
//!    │ │                 │     │ violation              │
//!    │ │ the peer's      │     └──────────────────────┐ │
//!    │ │ Close,          │ end of stream              ▼ ▼
//!    │ │ violation       │                          Finishing
//!    │ └─────────────────┼──────────────────────────► │ │
//!    │                   ▼           end of stream    │ │
//!    └──────────────► Emptying ◄──────────────────────┘ │ deadline, reset
//!     end of stream      │ deadline, reset              ▼
//!                        └───────────────────────────► Done
//! ```

/// Where a connection stands between its opening and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Messages go both ways.
    Open,
    /// This end has sent its Close and sends nothing more; messages still come until the peer's Close (§5.5.1).
    CloseSent,
    /// All has been said: what is in the outbox is written, and what comes is thrown away until the stream ends, so that the
    /// operating system does not answer it with a reset that eats the Close frame (§7.1.1).
    Finishing,
    /// The peer's stream has ended: what is in the outbox is written.
    Emptying,
    /// The transport can be dropped.
    Done,
}

/// What moves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stimulus {
    /// The application closes.
    Close,
    /// The peer's Close frame has come.
    PeerClose,
    /// The peer broke a rule, or was silent for too long.
    Fail,
    /// The peer's stream has ended.
    Eof,
    /// The transport failed.
    Reset,
    /// The budget of the closing handshake is spent.
    Deadline,
}

impl Phase {
    /// The phase after `stimulus`. Total: what has no line of its own changes nothing.
    pub(super) const fn after(self, stimulus: Stimulus) -> Self {
        use Stimulus as S;
        match (self, stimulus) {
            (Self::Open, S::Close) => Self::CloseSent,
            (Self::Open | Self::CloseSent, S::PeerClose) => Self::Finishing,
            (Self::Open | Self::CloseSent, S::Fail) => Self::Finishing,
            (Self::Open | Self::CloseSent | Self::Finishing, S::Eof) => Self::Emptying,
            (Self::CloseSent | Self::Finishing | Self::Emptying, S::Deadline) => Self::Done,
            (_, S::Reset) => Self::Done,
            (phase, _) => phase,
        }
    }

    /// Whether what comes is still looked at. After the peer's Close nothing is, by construction.
    pub(super) const fn reads(self) -> bool {
        matches!(self, Self::Open | Self::CloseSent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix() {
        use Phase::{CloseSent, Done, Emptying, Finishing, Open};
        use Stimulus::{Close, Deadline, Eof, Fail, PeerClose, Reset};
        let stimuli = [Close, PeerClose, Fail, Eof, Reset, Deadline];
        let mut table = format!("{:<10}", "");
        for stimulus in stimuli {
            table += &format!(" {:<10}", format!("{stimulus:?}"));
        }
        for phase in [Open, CloseSent, Finishing, Emptying, Done] {
            table = format!("{}\n{:<10}", table.trim_end(), format!("{phase:?}"));
            for stimulus in stimuli {
                table += &format!(" {:<10}", format!("{:?}", phase.after(stimulus)));
            }
        }
        insta::assert_snapshot!(table.trim_end(), @r"
                   Close      PeerClose  Fail       Eof        Reset      Deadline
        Open       CloseSent  Finishing  Finishing  Emptying   Done       Open
        CloseSent  CloseSent  Finishing  Finishing  Emptying   Done       Done
        Finishing  Finishing  Finishing  Finishing  Emptying   Done       Done
        Emptying   Emptying   Emptying   Emptying   Emptying   Done       Done
        Done       Done       Done       Done       Done       Done       Done
        ");
    }
}
