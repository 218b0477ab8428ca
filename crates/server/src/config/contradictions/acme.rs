//! What `[tls.acme]` must not be.

use http::Uri;

use super::Check;
use crate::config::Config;
use crate::config::tls::Acme;

impl Check<'_> {
    pub(super) fn acme(&mut self) {
        let Config { http, tls, .. } = self.config;
        let acme = &tls.acme;
        if *acme == Acme::default() {
            return;
        }
        if tls.has_files() {
            let says = "is set, and there is a certificate in tls.cert; give one of the two";
            self.say("tls", "acme", says);
        }
        if acme.domains.is_empty() {
            self.say("tls.acme", "domains", "is empty; name what the certificate is for");
        }
        for domain in &acme.domains {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
            if domain.is_empty() || !domain.bytes().all(fits) {
                let says =
                    format!("has {domain:?}; write names such as \"example.com\", in ASCII and without *");
                self.say("tls.acme", "domains", says);
            }
        }
        if acme.cache.as_os_str().is_empty() {
            let says = "is empty; name a folder, so that a restart needs no other certificate";
            self.say("tls.acme", "cache", says);
        }
        if http.listen_plain.is_empty() {
            let says =
                "is empty, and tls.acme needs an address without TLS that port 80 of its domains leads to";
            self.say("http", "listen_plain", says);
        }
        if !acme.directory.starts_with("https://") || acme.directory.parse::<Uri>().is_err() {
            let says = format!("is {:?}; it must be a URL that begins with https://", acme.directory);
            self.say("tls.acme", "directory", says);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::check;

    #[test]
    fn what_cannot_be_is_named_with_its_line_and_the_way_out() {
        for (text, says) in [
            (
                "http.listen_plain = [\"[::]:80\"]\n[tls]\ncert = \"a\"\nkey = \"b\"\n[tls.acme]\ncache = \"c\"\ndomains = [\"a.example\"]",
                "f:5: tls.acme is set, and there is a certificate in tls.cert",
            ),
            (
                "http.listen_plain = [\"[::]:80\"]\n[tls.acme]\ncache = \"c\"",
                "f:2: tls.acme.domains is empty",
            ),
            (
                "http.listen_plain = [\"[::]:80\"]\n[tls.acme]\ncache = \"c\"\ndomains = [\"*.a.example\"]",
                "f:4: tls.acme.domains has \"*.a.example\"",
            ),
            (
                "http.listen_plain = [\"[::]:80\"]\n[tls.acme]\ndomains = [\"a.example\"]",
                "f:2: tls.acme.cache is empty; name a folder",
            ),
            (
                "http.workers = 1\n[tls.acme]\ncache = \"c\"\ndomains = [\"a.example\"]",
                "f:1: http.listen_plain is empty, and tls.acme needs",
            ),
            (
                "http.listen_plain = [\"[::]:80\"]\n[tls.acme]\ncache = \"c\"\ndomains = [\"a.example\"]\ndirectory = \"http://a/\"",
                "f:5: tls.acme.directory is \"http://a/\"",
            ),
        ] {
            let error = check("f", text).unwrap_err().to_string();
            assert!(error.starts_with(says) && error.lines().count() == 1, "{text}\n{error}");
        }
    }

    #[test]
    fn what_can_be_is_not_complained_of() {
        let text = "http.listen_plain = [\"[::]:80\"]\n[tls.acme]\ncache = \"c\"\ndomains = [\"a.example\", \"::1\"]";
        check("f", text).unwrap();
    }
}
