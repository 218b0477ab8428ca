//! A certificate from an authority that the server asks by itself, over ACME (RFC 8555), and renews in time.
//!
//! ```text
//!  cache ──► good? ──► shown                       ┌──── failure: a pause, twice as long each time ───┐
//!    ▲         │ no                                 ▼                                                  │
//!    │         └──► self-signed is shown ──► order: account, http-01, key and request, certificate ────┘
//!    └───────────────────────────────────────────── │ success
//!                                                   └──► shown until two thirds of its time are over
//! ```
//!
//! All of it runs on the application's runtime, and on no worker; the router answers the authority from what is in [`Tls`].
//!
//! [`Tls`]: super::Tls

#[cfg(feature = "acme")]
mod cache;
#[cfg(feature = "acme")]
mod keeper;
#[cfg(feature = "acme")]
mod order;

#[cfg(feature = "acme")]
pub(crate) use keeper::Keeper;
#[cfg(not(feature = "acme"))]
pub(crate) use without::Keeper;

#[cfg(not(feature = "acme"))]
mod without {
    use antiphon_socket::rustls::sign::CertifiedKey;

    use crate::config::tls::Acme;
    use crate::tls::Tls;

    /// Keeps nothing: this server was built without.
    #[derive(Debug)]
    pub(crate) enum Keeper {}

    impl Keeper {
        /// # Errors
        /// Always.
        pub(crate) fn new(_: &Acme) -> Result<(Self, CertifiedKey), String> {
            Err("tls.acme.domains are set, and this server was built without the feature acme; build it with \
                 --features acme, or give it a certificate in tls.cert and tls.key"
                .into())
        }

        /// Nothing is kept.
        pub(crate) async fn keep(self, _: Tls) {
            match self {}
        }
    }
}
