//! The client over TLS.

use std::sync::Arc;
use std::time::Duration;

use antiphon_socket::rustls::crypto::ring;
use antiphon_socket::rustls::{ClientConfig, RootCertStore, ServerConfig};
use http::HeaderMap;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::super::{CallError, Client, Endpoint};
use super::app::{self, Deed};

#[tokio::test]
async fn a_certificate_is_trusted_or_nothing_is_sent() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], signing_key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::default();
    tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            let acceptor = TlsAcceptor::from(Arc::new(server));
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let deed = Arc::new(|_: &app::Seen| Deed::json("{}"));
                tokio::spawn(app::serve(stream, deed, Arc::clone(&seen), mpsc::unbounded_channel().0));
            }
        }
    });

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let trusting = Client::trusting(Handle::current(), trusting);
    let call = |client: &Client, host: &str| {
        let endpoint = Endpoint::parse(&format!("https://{host}:{port}/hook")).unwrap();
        client.post(&endpoint, HeaderMap::new(), "{}".into(), Duration::from_secs(30))
    };
    assert_eq!(call(&trusting, "localhost").await.unwrap().body(), "{}");
    // Another name, and a platform that does not know the certificate.
    assert!(matches!(call(&trusting, "127.0.0.1").await, Err(CallError::Unreachable(_))));
    assert!(matches!(
        call(&Client::new(Handle::current()), "localhost").await,
        Err(CallError::Unreachable(_))
    ));
    assert_eq!(seen.lock().unwrap().len(), 1);
}
