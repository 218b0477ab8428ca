//! Embeds the built apps, the demo and the inspector: writes a table of `File`s for each, with `include_bytes!`, for `src/assets.rs`.
//!
//! It needs no Node. Where an app is not built, it embeds what needs no build (`public/`: the plain page, the login page).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    let mut tables = table("DEMO", &here.join("../../web/apps/demo"))?;
    tables.push_str(&table("INSPECTOR", &here.join("../../web/apps/inspector"))?);
    fs::write(PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("assets.rs"), tables)
}

/// The table of an app's files.
fn table(table_name: &str, app: &Path) -> io::Result<String> {
    let dist = app.join("dist");
    let is_built = dist.join("index.html").is_file();
    let root = if is_built { dist } else { app.join("public") };

    // A watched path that does not exist would run this script at every build. So as long as there is no `dist`, the
    // folder that it will appear in is watched, and without the web folder (a packaged crate) only this file.
    let watched = if is_built { &root } else { app };
    if watched.is_dir() {
        println!("cargo::rerun-if-changed={}", watched.display());
    }

    let mut files = Vec::new();
    if root.is_dir() {
        walk(&root, &mut files)?;
    }
    files.sort();
    let mut table = format!("static {table_name}: &[File] = &[\n");
    for file in files.iter().filter(|file| file.extension().is_none_or(|extension| extension != "gz")) {
        let gzip = PathBuf::from(format!("{}.gz", file.display()));
        let gzip = if gzip.is_file() { format!("Some(include_bytes!({gzip:?}))") } else { "None".to_owned() };
        let name = file.strip_prefix(&root).map_err(io::Error::other)?;
        let name = format!("/{}", name.to_string_lossy().replace('\\', "/"));
        let etag = fnv1a(&fs::read(file)?);
        let body = format!("include_bytes!({file:?})");
        let etag = format!("W/\"{etag:016x}\"");
        writeln!(table, "    File {{ path: {name:?}, body: {body}, gzip: {gzip}, etag: {etag:?} }},")
            .map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// 64-bit FNV-1a. An ETag must only differ when the file does, from one build to the next; no secret depends on it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
