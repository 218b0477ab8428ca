//! The apps inside the binary, the demo and the inspector: a lookup by request path. `build.rs` says what is embedded.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One file as it is embedded.
struct File {
    path: &'static str,
    body: &'static [u8],
    gzip: Option<&'static [u8]>,
    etag: &'static str,
}

/// A file to answer a `GET` with. An answer with `gzip` carries `Content-Encoding: gzip`, and where `gzip` exists
/// every answer carries `Vary: Accept-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    /// The value of `Content-Type`.
    pub(crate) content_type: &'static str,
    /// The file as it is.
    pub(crate) body: &'static [u8],
    /// The same file compressed, where that makes it smaller.
    pub(crate) gzip: Option<&'static [u8]>,
    /// The value of `ETag`: weak, since it is one for both forms of the file (RFC 9110 §8.8.1).
    pub(crate) etag: &'static str,
    /// The value of `Cache-Control`.
    pub(crate) cache_control: &'static str,
}

/// The file at the path of a request, without its query; `/` is the demo. Only exact names are known, so no `..` and
/// no escapes lead anywhere.
pub(crate) fn demo(path: &str) -> Option<Asset> {
    lookup(DEMO, path, NO_DEMO)
}

/// The inspector's file at a path below `/admin`; `/` is the app, `/login.html` what stands before it.
pub(crate) fn inspector(path: &str) -> Option<Asset> {
    lookup(INSPECTOR, path, NO_INSPECTOR)
}

/// `index` stands for the app where it is not there.
fn lookup(files: &[File], path: &str, index: &'static [u8]) -> Option<Asset> {
    let name = if path == "/" { "/index.html" } else { path };
    match files.iter().find(|file| file.path == name) {
        Some(file) => Some(Asset {
            content_type: content_type(name),
            body: file.body,
            gzip: file.gzip,
            etag: file.etag,
            cache_control: cache_control(name),
        }),
        None if name == "/index.html" => Some(Asset {
            content_type: content_type(name),
            body: index,
            gzip: None,
            etag: "W/\"not-built\"",
            cache_control: cache_control(name),
        }),
        None => None,
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// Names under `/assets/` contain a hash of their content, so what a browser has stays true for ever (RFC 8246).
fn cache_control(name: &str) -> &'static str {
    if name.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// A page for a binary that was built before the apps: what is missing, and what there is all the same.
macro_rules! not_built {
    ($missing:literal, $there:literal) => {
        concat!(
            r#"<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <title>Antiphon</title>
  <link rel="icon" href="data:," />
  <style>
    :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
    body { max-width: 36rem; margin: 3rem auto; padding: 0 1rem }
  </style>
  <h1>"#,
            $missing,
            r#"</h1>
  <p>This binary was built before the web pages were. In the project's folder, run <code>make run</code>: it builds the
  pages (that needs Node 20.19 or newer) and then the server with the pages inside.</p>
  <p>"#,
            $there,
            "</p>\n</html>\n"
        )
        .as_bytes()
    };
}

/// Stands at `/` in a binary that was built without the demo.
const NO_DEMO: &[u8] = not_built!(
    "The server runs; the demo apps are not in it",
    r#"<a href="/plain.html">The plain chat</a> needs no build and works as it is."#
);

/// Stands at `/admin/` in a binary that was built without the inspector.
const NO_INSPECTOR: &[u8] = not_built!(
    "You are logged in; the inspector is not in this server",
    r#"The API that the inspector asks is there all the same: <a href="/admin/api/stats">/admin/api/stats</a>."#
);

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &[File] = &[
        File { path: "/index.html", body: b"<!doctype html>", gzip: Some(b"\x1f\x8b"), etag: "W/\"1\"" },
        File { path: "/assets/index-Ab12.js", body: b"1", gzip: None, etag: "W/\"2\"" },
    ];

    #[test]
    fn root_is_the_index_and_is_asked_for_every_time() {
        let index = lookup(SOME, "/", b"").expect("the index");
        assert_eq!(Some(index), lookup(SOME, "/index.html", b""));
        assert_eq!(index.body, b"<!doctype html>");
        assert_eq!(index.gzip, Some(&b"\x1f\x8b"[..]));
        assert_eq!((index.content_type, index.cache_control), ("text/html; charset=utf-8", "no-cache"));
    }

    #[test]
    fn hashed_names_never_change() {
        let script = lookup(SOME, "/assets/index-Ab12.js", b"").expect("the script");
        assert_eq!(script.content_type, "text/javascript; charset=utf-8");
        assert!(script.cache_control.ends_with("immutable"));
    }

    #[test]
    fn only_exact_paths_lead_to_a_file() {
        let near =
            ["", "index.html", "/assets", "/assets/", "/../index.html", "//index.html", "/%69ndex.html"];
        for path in near {
            assert_eq!(lookup(SOME, path, b""), None, "{path:?}");
        }
    }

    #[test]
    fn without_apps_the_root_says_how_to_build_them() {
        for index in [NO_DEMO, NO_INSPECTOR] {
            let page = lookup(&[], "/", index).expect("a page");
            assert!(String::from_utf8_lossy(page.body).contains("make run"));
            assert_eq!(lookup(&[], "/plain.html", index), None);
        }
    }

    #[test]
    fn what_is_embedded_has_a_type_and_shrinks() {
        let of_demo = DEMO.iter().map(|file| (file, demo(file.path)));
        let of_inspector = INSPECTOR.iter().map(|file| (file, inspector(file.path)));
        for (file, asset) in of_demo.chain(of_inspector) {
            let asset = asset.expect(file.path);
            assert_ne!(asset.content_type, "application/octet-stream", "{}", file.path);
            assert!(asset.etag.starts_with("W/\"") && asset.etag.ends_with('"'), "{}", file.path);
            if let Some(gzip) = asset.gzip {
                assert!(gzip.starts_with(&[0x1f, 0x8b]) && gzip.len() < asset.body.len(), "{}", file.path);
            }
        }
        assert!(demo("/plain.html").is_some(), "the plain page needs no build");
        assert!(inspector("/login.html").is_some(), "the login page needs no build");
    }
}
