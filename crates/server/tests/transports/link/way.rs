//! The ways to the server.

use antiphon_hub::protocol::Encoding;

/// What a client listens on, and speaks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    /// Over HTTP/2 (RFC 8441).
    WebSocket2,
    HttpStream,
    /// With `connect` in the URL.
    SseGet,
    /// With `connect` in the body.
    SsePost,
    /// With commands by `/emulation`.
    Poll,
    /// With commands in the polls.
    PollOnly,
}

/// A transport with an encoding, with or without a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) transport: Transport,
    pub(crate) encoding: Encoding,
    /// The client asks for a session.
    pub(crate) has_session: bool,
}

impl Transport {
    pub(crate) const ALL: [Self; 7] = [
        Self::WebSocket,
        Self::WebSocket2,
        Self::HttpStream,
        Self::SseGet,
        Self::SsePost,
        Self::Poll,
        Self::PollOnly,
    ];

    pub(crate) fn is_socket(self) -> bool {
        matches!(self, Self::WebSocket | Self::WebSocket2)
    }

    pub(crate) fn is_poll(self) -> bool {
        matches!(self, Self::Poll | Self::PollOnly)
    }

    pub(crate) fn encodings(self) -> &'static [Encoding] {
        match self {
            Self::WebSocket | Self::WebSocket2 | Self::HttpStream => &[Encoding::Json, Encoding::Protobuf],
            _ => &[Encoding::Json],
        }
    }
}

impl Way {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for transport in Transport::ALL {
            for &encoding in transport.encodings() {
                for has_session in [false, true] {
                    // Who polls has a session anyway.
                    if has_session || !transport.is_poll() {
                        all.push(Self { transport, encoding, has_session });
                    }
                }
            }
        }
        all
    }

    /// Those with a session.
    pub(crate) fn with_session() -> Vec<Self> {
        Self::all().into_iter().filter(|way| way.has_session).collect()
    }

    pub(crate) fn plain_socket() -> Self {
        Self { transport: Transport::WebSocket, encoding: Encoding::Json, has_session: false }
    }

    pub(crate) fn json(transport: Transport) -> Self {
        Self { transport, encoding: Encoding::Json, has_session: true }
    }

    /// A name for a channel of its own.
    pub(crate) fn name(self) -> String {
        format!("{:?}-{:?}-{}", self.transport, self.encoding, self.has_session)
    }
}

/// Runs a case over many ways. One that fails is named.
pub(crate) fn over(ways: Vec<Way>, mut case: impl FnMut(Way)) {
    struct Named(Way);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("this was over {}", self.0.name());
            }
        }
    }
    for way in ways {
        let _named = Named(way);
        case(way);
    }
}
