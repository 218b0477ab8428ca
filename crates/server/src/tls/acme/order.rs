//! One order at an authority: the account, the proof that the domains lead here, and the certificate.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_socket::rustls::crypto::ring;
use antiphon_socket::rustls::pki_types::CertificateDer;
use antiphon_socket::rustls::pki_types::pem::PemObject as _;
use antiphon_socket::rustls::{ClientConfig, RootCertStore};
use bytes::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::cache::Cache;
use crate::config::tls::Acme;
use crate::tls::{Proofs, Tls};

/// How often the authority is asked whether it has looked: at first soon, then less and less.
const ASKING: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// The problem of an account that the authority does not know (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// How an authority is spoken to.
pub(super) struct Authority {
    http: legacy::Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
}

impl Authority {
    /// # Errors
    /// When the file with its roots has none, or the platform has none.
    pub(super) fn new(settings: &Acme) -> Result<Self, String> {
        let wrong = |error| format!("tls.acme: {error}");
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let tls = tls.with_safe_default_protocol_versions().map_err(wrong)?;
        let tls = match settings.ca.as_os_str().is_empty() {
            true => tls.with_platform_verifier().map_err(wrong)?,
            false => tls.with_root_certificates(roots(&settings.ca)?),
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth());
        let connector = connector.https_only().enable_http1().build();
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector),
        })
    }

    /// A key and its certificates, in PEM. The authority is answered through `tls` while it looks.
    pub(super) async fn order(&self, settings: &Acme, cache: &Cache, tls: &Tls) -> Result<String, String> {
        let identifiers = settings.domains.iter().map(|domain| match domain.parse() {
            Ok(address) => Identifier::Ip(address),
            Err(_) => Identifier::Dns(domain.to_ascii_lowercase()),
        });
        let identifiers = identifiers.collect::<Vec<_>>();
        let new = NewOrder::new(&identifiers);
        let mut order = match self.account(settings, cache).await?.new_order(&new).await {
            // It may have been removed there, and then comes back under no key that it had.
            Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
                cache.forget_account()?;
                self.account(settings, cache).await?.new_order(&new).await
            }
            order => order,
        }
        .map_err(sentence)?;
        prove(&mut order, tls).await?;
        match order.poll_ready(&ASKING).await {
            Ok(OrderStatus::Ready) => {}
            Ok(status) => return Err(refusal(&mut order, format!("the order is {status:?}")).await?),
            Err(Error::Api(problem)) => return Err(refusal(&mut order, problem.to_string()).await?),
            Err(error) => return Err(sentence(error)),
        }
        let key = order.finalize().await.map_err(sentence)?;
        let chain = order.poll_certificate(&ASKING).await.map_err(sentence)?;
        Ok(key + &chain)
    }

    /// The account in the cache, or a new one that is kept there.
    async fn account(&self, settings: &Acme, cache: &Cache) -> Result<Account, String> {
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        if let Some(json) = cache.account()? {
            let credentials = serde_json::from_slice(&json);
            let credentials =
                credentials.map_err(|e| format!("the account in tls.acme.cache is broken: {e}"))?;
            return builder.from_credentials(credentials).await.map_err(sentence);
        }
        let contact = (!settings.email.is_empty()).then(|| format!("mailto:{}", settings.email));
        let contact = contact.iter().map(String::as_str).collect::<Vec<_>>();
        let account =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let made = builder.create(&account, settings.directory.clone(), None).await;
        let (account, credentials) = made.map_err(sentence)?;
        cache.keep_account(&serde_json::to_vec(&credentials).map_err(|e| e.to_string())?)?;
        Ok(account)
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let about = |error: &dyn std::fmt::Display| format!("tls.acme.ca {}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(path).map_err(|e| about(&e))? {
        roots.add(root.map_err(|e| about(&e))?).map_err(|e| about(&e))?;
    }
    if roots.is_empty() {
        return Err(about(&"there is no CERTIFICATE in PEM in it"));
    }
    Ok(roots)
}

/// Has the authority look at each domain that it has not seen lately.
async fn prove(order: &mut Order, tls: &Tls) -> Result<(), String> {
    let mut proofs = Proofs::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(sentence)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let challenge = authorization.challenge(ChallengeType::Http01);
        let mut challenge = challenge.ok_or_else(|| format!("it does not offer http-01 for {domain}"))?;
        proofs.insert(challenge.token.clone(), challenge.key_authorization().as_str().to_owned());
        tls.prove(proofs.clone());
        challenge.set_ready().await.map_err(sentence)?;
    }
    Ok(())
}

/// What the authority found wrong with each domain; `otherwise` when it does not say.
async fn refusal(order: &mut Order, otherwise: String) -> Result<String, String> {
    let mut said = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(sentence)?;
        let state = authorization.refresh().await.map_err(sentence)?;
        let domain = state.identifier().to_string();
        let problems = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        said.extend(problems.map(|problem| format!("{domain} was refused: {problem}")));
    }
    Ok(if said.is_empty() { otherwise } else { said.join("; ") })
}

/// An error with what is behind it.
#[allow(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn sentence(error: Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_said = cause.to_string();
        if !said.ends_with(&cause_said) {
            said = format!("{said}: {cause_said}");
        }
        source = cause.source();
    }
    said
}
