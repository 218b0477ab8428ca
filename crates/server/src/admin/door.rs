//! Who is let in: whoever logs in, for as long as the session lasts, and whoever shows the token.
//!
//! A session is a signed cookie; nothing is kept of it. The key is made anew with each process, and what is signed includes the
//! password and the token: a restart ends all sessions, and so does a change of either.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use antiphon_proto::handshake::OriginPolicy;
use antiphon_proto::handshake::http::check_origin;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::AdminError;
use crate::config::server::Admin;
use crate::serve::{Rate, Rates};

/// The name of the cookie.
const NAME: &str = "antiphon_admin";

/// Wrong passwords and tokens that one address may show.
const WRONG: Rate = Rate { count: 10, period: Duration::from_secs(60) };

/// Sessions that are remembered as ended before their time. Beyond that the one that would expire next is forgotten.
const ENDED: usize = 1024;

/// What stands before the inspector.
pub(crate) struct Door {
    key: hmac::Key,
    /// The token that was made where the settings have neither a password nor a token.
    made: Option<String>,
    wrong: Mutex<Rates>,
    /// Sessions that were ended, by when they would have expired and their id.
    ended: Mutex<BTreeSet<(u64, u128)>>,
}

/// What somebody shows to be let in.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    Password(&'a str),
    Token(&'a str),
}

/// As what somebody has been let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A browser sends the cookie whatever page asks it to.
    Session,
    /// Nobody shows a token without meaning it.
    Token,
}

/// A session that has been found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    /// In milliseconds since 1970.
    expires_at: u64,
    id: u128,
}

impl Door {
    /// With a key of its own, and in development mode with a token, where the settings have nothing to log in with.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub(crate) fn new(admin: &Admin, development: bool) -> Result<Self, String> {
        let needs_token = development && admin.enabled && admin.password.is_empty() && admin.token.is_empty();
        let made =
            needs_token.then(|| random::<16>().map(|token| URL_SAFE_NO_PAD.encode(token))).transpose()?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?),
            made,
            wrong: Mutex::default(),
            ended: Mutex::default(),
        })
    }

    /// The token that was made, if one was.
    pub(crate) fn made(&self) -> Option<&str> {
        self.made.as_deref()
    }

    /// Lets somebody in who shows what is right.
    ///
    /// # Errors
    /// 401; 429 after too many wrong ones from the address, whatever is shown.
    pub(super) fn enter(
        &self,
        admin: &Admin,
        peer: IpAddr,
        now: Instant,
        shown: Shown<'_>,
    ) -> Result<(), AdminError> {
        let mut wrong = lock(&self.wrong);
        if let Some(wait) = wrong.wait(peer, now, WRONG) {
            tracing::warn!(remote = %peer, "too many wrong logins to the inspector");
            let Rate { count, period } = WRONG;
            let message = format!(
                "There were {count} wrong logins from your address within {} seconds; try again in {:.0}.",
                period.as_secs(),
                wait.as_secs_f64().ceil()
            );
            return Err(AdminError::too_many_requests(message, wait));
        }
        if self.is_right(admin, shown) {
            return Ok(());
        }
        wrong.count(peer, now, WRONG);
        drop(wrong);
        tracing::warn!(remote = %peer, "a wrong login to the inspector");
        Err(AdminError::unauthorized(match shown {
            Shown::Password(_) if admin.password.is_empty() => {
                "This server has no password in admin.password; log in with the token."
            }
            Shown::Password(_) => "The password is not the one in admin.password.",
            Shown::Token(_) if self.made.is_some() => {
                "The token is not the one that the server printed at its start."
            }
            Shown::Token(_) => "The token is not the one in admin.token.",
        }))
    }

    fn is_right(&self, admin: &Admin, shown: Shown<'_>) -> bool {
        let (text, right) = match shown {
            Shown::Password(text) => (text, &*admin.password),
            Shown::Token(text) if admin.token.is_empty() => (text, self.made().unwrap_or_default()),
            Shown::Token(text) => (text, &*admin.token),
        };
        // Digests are of one length, so that the time tells nothing of the lengths, either.
        let [text, digest] = [text, right].map(|text| hmac::sign(&self.key, text.as_bytes()));
        let is_same = bool::from(text.as_ref().ct_eq(digest.as_ref()));
        is_same && !right.is_empty()
    }

    /// The cookie of a new session, which begins at `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// 500, when the operating system has no randomness to give.
    pub(super) fn session(&self, admin: &Admin, now: u64) -> Result<String, AdminError> {
        let id = u128::from_be_bytes(random().map_err(|error| AdminError::internal(&error))?);
        let session = Session { expires_at: now.saturating_add(admin.session_ttl.as_ms()), id };
        let mac = URL_SAFE_NO_PAD.encode(self.mac(admin, session));
        let age = admin.session_ttl.as_ms().div_ceil(1000);
        Ok(cookie(&format!("{:x}.{id:032x}.{mac}", session.expires_at), age))
    }

    /// Who asks.
    ///
    /// # Errors
    /// 401; 429 after too many wrong tokens from the address.
    pub(super) fn caller(
        &self,
        admin: &Admin,
        peer: IpAddr,
        parts: &Parts,
        (now, now_ms): (Instant, u64),
    ) -> Result<Caller, AdminError> {
        if let Some(token) = bearer(parts) {
            return self.enter(admin, peer, now, Shown::Token(token)).map(|()| Caller::Token);
        }
        let session = cookies(parts).find_map(|text| self.check(admin, text, now_ms));
        session.map(|_| Caller::Session).ok_or_else(|| {
            AdminError::unauthorized(if has_cookie(parts) {
                "The session has ended; log in at /admin/."
            } else {
                "Log in at /admin/, or send the token: Authorization: Bearer TOKEN."
            })
        })
    }

    /// Ends the session of a request, if it has one.
    pub(super) fn end(&self, admin: &Admin, parts: &Parts, now: u64) {
        let mut ended = lock(&self.ended);
        for session in
            cookies(parts).filter_map(|text| self.check_in(&ended, admin, text, now)).collect::<Vec<_>>()
        {
            ended.insert((session.expires_at, session.id));
        }
        ended.retain(|(expires_at, _)| *expires_at > now);
        while ended.len() > ENDED {
            ended.pop_first();
        }
    }

    fn check(&self, admin: &Admin, text: &str, now: u64) -> Option<Session> {
        self.check_in(&lock(&self.ended), admin, text, now)
    }

    /// The session in a cookie that has not expired, nor been ended.
    fn check_in(
        &self,
        ended: &BTreeSet<(u64, u128)>,
        admin: &Admin,
        text: &str,
        now: u64,
    ) -> Option<Session> {
        let (claims, mac) = text.rsplit_once('.')?;
        let (expires_at, id) = claims.split_once('.')?;
        let session = Session {
            expires_at: u64::from_str_radix(expires_at, 16).ok()?,
            id: u128::from_str_radix(id, 16).ok()?,
        };
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let is_signed = bool::from(mac.ct_eq(self.mac(admin, session).as_ref()));
        let is_open = session.expires_at > now && !ended.contains(&(session.expires_at, session.id));
        (is_signed && is_open).then_some(session)
    }

    fn mac(&self, admin: &Admin, session: Session) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&session.expires_at.to_be_bytes());
        context.update(&session.id.to_be_bytes());
        for secret in [&admin.password, &admin.token] {
            context.update(&(secret.len() as u64).to_be_bytes());
            context.update(secret.as_bytes());
        }
        context.sign()
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

/// The cookie that takes the place of a session's.
pub(super) fn no_session() -> String {
    cookie("", 0)
}

fn cookie(value: &str, age: u64) -> String {
    format!("{NAME}={value}; Path=/admin; Max-Age={age}; HttpOnly; SameSite=Strict")
}

/// Whether a request has a cookie of a session, good or not.
pub(super) fn has_cookie(parts: &Parts) -> bool {
    cookies(parts).next().is_some()
}

/// The values of the session's cookie: a browser may send others of that name, which another host has set (RFC 6265 §5.4).
fn cookies(parts: &Parts) -> impl Iterator<Item = &str> {
    let headers = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value)
}

fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Checks that a page which gives an order is this server's own. Who is no browser says nothing of a page, which `must_say` forbids.
///
/// # Errors
/// 403.
pub(super) fn check_page(parts: &Parts, must_say: bool) -> Result<(), AdminError> {
    let site = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_own = match (site, check_origin(parts, &OriginPolicy::same_host())) {
        (Some(b"same-origin"), Ok(_)) | (None, Ok(Some(_))) => true,
        (None, Ok(None)) => !must_say,
        _ => false,
    };
    if is_own {
        return Ok(());
    }
    let origin =
        parts.headers.get(ORIGIN).map_or("no page", |origin| origin.to_str().unwrap_or("another page"));
    Err(AdminError::forbidden(format!(
        "The inspector takes orders of its own pages only, and this comes from {origin:?}; scripts send Authorization: Bearer TOKEN."
    )))
}

/// Whether the browser says that it shows the page over HTTPS, which a proxy may have spoken.
pub(super) fn is_secure_page(parts: &Parts) -> bool {
    parts.headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("the operating system's randomness: {error}"))?;
    Ok(bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under the locks leaves them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use antiphon_hub::Span;
    use hyper::Request;

    use super::*;

    fn admin() -> Admin {
        Admin {
            enabled: true,
            password: "open".into(),
            token: "sesame".into(),
            session_ttl: Span::seconds(10),
        }
    }

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(Request::get("/admin/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn pair(cookie: &str) -> &str {
        cookie.split(';').next().unwrap()
    }

    fn peer(n: u8) -> IpAddr {
        [10, 0, 0, n].into()
    }

    #[test]
    fn a_session_lasts_as_long_as_it_says_and_is_of_one_process() {
        let (admin, now) = (admin(), Instant::now());
        let door = Door::new(&admin, false).unwrap();
        let cookie = door.session(&admin, 1000).unwrap();
        let asked = parts(&[("cookie", &format!("antiphon_admin=x; {}", pair(&cookie)))]);
        let is_in = |door: &Door, admin: &Admin, at| door.caller(admin, peer(1), &asked, (now, at)).is_ok();
        assert!(is_in(&door, &admin, 1000) && is_in(&door, &admin, 10_999));
        assert!(!is_in(&door, &admin, 11_000));
        assert!(!is_in(&Door::new(&admin, false).unwrap(), &admin, 1000), "another key");
        for changed in [
            Admin { password: "shut".into(), ..admin.clone() },
            Admin { token: String::new(), ..admin.clone() },
            // What is the same when it is written one after the other is not the same.
            Admin { password: "opens".into(), token: "esame".into(), ..admin },
        ] {
            assert!(!is_in(&door, &changed, 1000), "{changed:?}");
        }
    }

    #[test]
    fn a_cookie_with_anything_changed_is_none() {
        let (admin, now) = (admin(), Instant::now());
        let door = Door::new(&admin, false).unwrap();
        let cookie = door.session(&admin, 1000).unwrap();
        let cookie = pair(&cookie);
        let start = "antiphon_admin=".len();
        for place in start..cookie.len() {
            let mut forged = cookie.to_owned();
            let other = if &cookie[place..=place] == "1" { "2" } else { "1" };
            forged.replace_range(place..=place, other);
            let asked = parts(&[("cookie", &forged)]);
            // The last letter of base64 has bits that stand for nothing; those must be 0.
            assert!(door.caller(&admin, peer(1), &asked, (now, 1000)).is_err(), "{forged}");
        }
        for text in ["", ".", "..", "1.1.", "ffffffffffffffffffff.1.AAAA"] {
            let asked = parts(&[("cookie", &format!("antiphon_admin={text}"))]);
            assert!(door.caller(&admin, peer(1), &asked, (now, 1000)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_that_was_ended_stays_so() {
        let (admin, now) = (admin(), Instant::now());
        let door = Door::new(&admin, false).unwrap();
        let cookies: Vec<_> = (0..ENDED + 10).map(|_| door.session(&admin, 1000).unwrap()).collect();
        let asked = |cookie: &str| parts(&[("cookie", pair(cookie))]);
        let is_in = |cookie: &str| door.caller(&admin, peer(1), &asked(cookie), (now, 1000)).is_ok();
        door.end(&admin, &asked(&cookies[0]), 1000);
        assert!(!is_in(&cookies[0]) && is_in(&cookies[1]));
        for cookie in &cookies {
            door.end(&admin, &asked(cookie), 1000);
        }
        assert_eq!(lock(&door.ended).len(), ENDED);
        door.end(&admin, &parts(&[]), 11_000);
        assert!(lock(&door.ended).is_empty(), "they have expired by themselves");
    }

    #[test]
    fn ten_wrong_ones_a_minute_are_borne_from_each_address() {
        let (admin, start) = (admin(), Instant::now());
        let door = Door::new(&admin, false).unwrap();
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..100 {
            door.enter(&admin, peer(1), start, Shown::Password("open")).unwrap();
        }
        for _ in 0..10 {
            let error = door.enter(&admin, peer(1), start, Shown::Token("wrong")).unwrap_err();
            assert_eq!(error.into_response().status(), 401);
        }
        let error = door.enter(&admin, peer(1), start, Shown::Password("open")).unwrap_err().into_response();
        assert_eq!(
            (error.status().as_u16(), &error.headers()["retry-after"]),
            (429, &HeaderValue::from_static("6"))
        );
        assert!(door.enter(&admin, peer(2), start, Shown::Password("open")).is_ok());
        assert!(door.enter(&admin, peer(1), at(6), Shown::Password("open")).is_ok());
        assert!(door.enter(&admin, peer(1), at(6), Shown::Password("wrong")).is_err());
        assert!(door.enter(&admin, peer(1), at(7), Shown::Password("open")).is_err());
        assert!(door.enter(&admin, peer(1), at(80), Shown::Password("open")).is_ok());
    }

    #[test]
    fn nothing_opens_a_door_that_has_no_lock() {
        let nothing = Admin { password: String::new(), token: String::new(), ..admin() };
        let door = Door::new(&nothing, false).unwrap();
        assert_eq!(door.made(), None);
        for shown in [Shown::Password(""), Shown::Token("")] {
            assert!(door.enter(&nothing, peer(1), Instant::now(), shown).is_err());
        }
        let made = Door::new(&nothing, true).unwrap();
        let token = made.made().unwrap();
        assert!(made.enter(&nothing, peer(1), Instant::now(), Shown::Token(token)).is_ok());
        assert!(made.enter(&nothing, peer(1), Instant::now(), Shown::Password(token)).is_err());
        assert_ne!(Door::new(&nothing, true).unwrap().made(), Some(token));
        assert_eq!(Door::new(&Admin { enabled: false, ..nothing }, true).unwrap().made(), None);
        assert_eq!(Door::new(&admin(), true).unwrap().made(), None);
    }

    #[test]
    fn a_page_must_be_this_servers() {
        let check = |headers: &[(&str, &str)], must_say| {
            let mut headers = headers.to_vec();
            headers.push(("host", "a:8000"));
            check_page(&parts(&headers), must_say).is_ok()
        };
        for (headers, browser, script) in [
            (&[][..], false, true),
            (&[("origin", "http://a:8000")], true, true),
            (&[("origin", "https://a:8000")], true, true),
            (&[("origin", "http://a")], false, false),
            (&[("origin", "http://b:8000")], false, false),
            (&[("origin", "null")], false, false),
            (&[("sec-fetch-site", "same-origin")], true, true),
            (&[("sec-fetch-site", "none")], false, false),
            (&[("origin", "http://a:8000"), ("sec-fetch-site", "cross-site")], false, false),
        ] {
            assert_eq!((check(headers, true), check(headers, false)), (browser, script), "{headers:?}");
        }
    }
}
