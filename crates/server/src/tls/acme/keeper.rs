//! What keeps the certificate good: when it is renewed, and what is done when that fails.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon_hub::Span;
use antiphon_socket::rustls::pki_types::pem::PemObject as _;
use antiphon_socket::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use antiphon_socket::rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::cache::Cache;
use super::order::Authority;
use crate::config::tls::Acme;
use crate::tls::Tls;
use crate::tls::identity::{certified, self_signed};

/// The pause after the first failure; after each other it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// How long an order may take.
const ORDER: Duration = Duration::from_secs(10 * 60);
/// The least time between two certificates, even where the clock is so far ahead that each is due at once.
const SOONEST: Duration = Duration::from_secs(3600);
/// How often the clock is looked at, which may be set, or stand still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(3600);

/// Keeps a certificate in the cache, and shows it.
pub(crate) struct Keeper {
    settings: Acme,
    cache: Cache,
    authority: Authority,
    /// When the next order is due; none at once.
    due: Option<SystemTime>,
}

impl Keeper {
    /// With what is shown at first: the certificate in the cache if it is still good, else one that nobody vouches for.
    ///
    /// # Errors
    /// When the cache cannot be used, or there is no file with roots where one is named.
    pub(crate) fn new(settings: &Acme) -> Result<(Self, CertifiedKey), String> {
        let cache = Cache::open(&settings.cache, &settings.directory)?;
        let authority = Authority::new(settings)?;
        let cached = cache.certificate()?.map(|pem| Certificate::read(&pem));
        let (identity, due) = match cached {
            Some(Ok(cached)) if cached.is_good(&settings.domains, SystemTime::now()) => {
                (cached.identity, Some(cached.due))
            }
            cached => {
                if let Some(Err(error)) = cached {
                    tracing::warn!("the certificate in tls.acme.cache is of no use: {error}");
                }
                (self_signed()?.identity, None)
            }
        };
        Ok((Self { settings: settings.clone(), cache, authority, due }, identity))
    }

    /// Orders whenever it is time, until it is dropped.
    pub(crate) async fn keep(mut self, tls: Tls) {
        let names = self.settings.domains.join(", ");
        let mut failures = 0;
        loop {
            while let Some(wait) = self.due.and_then(|due| due.duration_since(SystemTime::now()).ok()) {
                tokio::time::sleep(wait.min(LOOK)).await;
            }
            let order = tokio::time::timeout(ORDER, self.renew(&tls)).await;
            tls.prove(Default::default());
            match order.unwrap_or_else(|_| Err(format!("it took longer than {}", Span(ORDER)))) {
                Ok(due) => {
                    tracing::info!("there is a new certificate for {names} from {}", self.settings.directory);
                    (self.due, failures) = (Some(due.max(SystemTime::now() + SOONEST)), 0);
                }
                Err(error) => {
                    let pause = pause(failures);
                    tracing::error!(
                        "there is no new certificate for {names} from {}: {error}. The next attempt is in {}",
                        self.settings.directory,
                        Span(pause)
                    );
                    (self.due, failures) = (Some(SystemTime::now() + pause), failures.saturating_add(1));
                }
            }
        }
    }

    /// Gets a certificate and shows it; when it is to be renewed.
    async fn renew(&self, tls: &Tls) -> Result<SystemTime, String> {
        let pem = self.authority.order(&self.settings, &self.cache, tls).await?;
        let certificate = Certificate::read(pem.as_bytes())?;
        if !certificate.is_good(&self.settings.domains, SystemTime::now()) {
            return Err("the certificate that came is for other names, or for another time".into());
        }
        self.cache.keep_certificate(pem.as_bytes())?;
        tls.show(certificate.identity);
        Ok(certificate.due)
    }
}

/// How long to wait after so many failures before the last.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

/// A certificate with its key, and what it says of itself.
struct Certificate {
    identity: CertifiedKey,
    names: BTreeSet<String>,
    start: SystemTime,
    end: SystemTime,
    /// Two thirds of its time are over.
    due: SystemTime,
}

impl Certificate {
    fn read(pem: &[u8]) -> Result<Self, String> {
        let about = |error: &dyn std::fmt::Display| format!("it cannot be read: {error}");
        let chain =
            CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|e| about(&e))?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|e| about(&e))?;
        let first = chain.first().ok_or("there is no certificate in it")?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|e| about(&e))?;
        let seconds = |timestamp: i64| UNIX_EPOCH + Duration::from_secs(timestamp.try_into().unwrap_or(0));
        let validity = parsed.validity();
        let (start, end) =
            (seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp()));
        let names = parsed.subject_alternative_name().map_err(|e| about(&e))?;
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => match **bytes {
                [a, b, c, d] => Some(IpAddr::from([a, b, c, d]).to_string()),
                ref bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            },
            _ => None,
        });
        let names = names.collect();
        let due = start + end.duration_since(start).unwrap_or_default() * 2 / 3;
        let identity = certified(chain, key).map_err(|e| about(&e))?;
        Ok(Self { identity, names, start, end, due })
    }

    /// Whether it can be shown for these domains at this time. A clock that is behind makes no new one better.
    fn is_good(&self, domains: &[String], now: SystemTime) -> bool {
        let domains = domains.iter().map(|domain| match domain.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => domain.to_ascii_lowercase(),
        });
        self.start < self.end && now < self.end && domains.collect::<BTreeSet<_>>() == self.names
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    const DAY: u64 = 24 * 3600;

    fn at(day: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(day * DAY)
    }

    fn pem(names: &[&str], start: u64, end: u64) -> String {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (at(start).into(), at(end).into());
        let key = KeyPair::generate().unwrap();
        key.serialize_pem() + &params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_certificate_is_good_for_its_names_until_its_end() {
        let read =
            Certificate::read(pem(&["a.example", "127.0.0.1", "::1"], 20_000, 20_090).as_bytes()).unwrap();
        assert_eq!(read.due, at(20_060));
        for (domains, day, is_good) in [
            (&["::1", "a.example", "127.0.0.1"][..], 20_001, true),
            (&["0:0::1", "A.example", "127.0.0.1"], 20_089, true),
            (&["::1", "a.example", "127.0.0.1"], 20_090, false),
            (&["a.example"], 20_001, false),
            (&["::1", "a.example", "127.0.0.1", "b.example"], 20_001, false),
        ] {
            let domains = domains.iter().map(|domain| (*domain).to_owned()).collect::<Vec<_>>();
            assert_eq!(read.is_good(&domains, at(day)), is_good, "{domains:?} on {day}");
        }
    }

    #[test]
    fn what_is_no_certificate_with_its_key_is_refused() {
        let (one, other) = (pem(&["a.example"], 1, 2), pem(&["a.example"], 1, 2));
        let end = "-----END PRIVATE KEY-----\n";
        let mixed = one.split_once(end).unwrap().0.to_owned() + end + other.split_once(end).unwrap().1;
        let key = one.split_once(end).unwrap().0.to_owned() + end;
        for (pem, says) in
            [(&*mixed, "it cannot be read: "), (&*key, "there is no certificate in it"), ("", "it cannot")]
        {
            let error = Certificate::read(pem.as_bytes()).err().unwrap();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn pauses_double_up_to_six_hours() {
        for (failures, minutes) in [(0, 1), (1, 2), (5, 32), (8, 256), (9, 360), (u32::MAX, 360)] {
            assert_eq!(pause(failures), Duration::from_secs(minutes * 60), "{failures}");
        }
    }
}
