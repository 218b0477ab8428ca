//! Log lines about a client.

/// Writes a line about a session's client: `note!(debug, session, channel, "it subscribed")`. Its id, its user and its address stand
/// before the other fields. Neither tokens nor what clients send belong into one.
macro_rules! note {
    ($level:ident, $session:expr, $($rest:tt)+) => {{
        let session: &$crate::session::Session = &$session;
        tracing::$level!(
            client = %session.id,
            user = session.named_user().as_deref(),
            remote = session.origin.remote.map(tracing::field::display),
            $($rest)+
        )
    }};
}
