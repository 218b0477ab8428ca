//! The codes of the client protocol: number, name, sentence.

/// Makes an enum of a table of codes.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal, $sentence:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $(#[doc = $sentence] $variant,)+ }

        impl $name {
            /// The number on the wire.
            pub(crate) const fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The sentence on the wire.
            pub(crate) const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }
        }
    };
}

codes! {
    /// Why a command failed. The connection goes on.
    ErrorCode {
        PermissionDenied = 103, "permission denied";
        MethodNotFound = 104, "method not found";
        AlreadySubscribed = 105, "already subscribed";
        LimitExceeded = 106, "limit exceeded";
        BadRequest = 107, "bad request";
        NotAvailable = 108, "not available";
    }
}

codes! {
    /// Why the server ends a connection: the code and the reason of its Close frame. After 3000 to 3499 a client comes
    /// back by itself, after 3500 to 3999 it does not.
    Disconnect {
        Shutdown = 3001, "shutdown";
        Slow = 3008, "slow";
        NoPong = 3012, "no pong";
        InvalidToken = 3500, "invalid token";
        BadRequest = 3501, "bad request";
        Stale = 3502, "stale";
        NotAvailable = 3508, "not available";
    }
}
