//! The seeds of every target, and every input that once broke something, without libFuzzer.

use std::path::Path;
use std::{fs, io};

use antiphon_fuzz::TARGETS;

/// Runs a target on every file of a folder; gives how many there were.
fn run_all(folder: &Path, run: fn(&[u8])) -> io::Result<usize> {
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::path);
    for file in &files {
        println!("{}", file.path().display());
        run(&fs::read(file.path())?);
    }
    Ok(files.len())
}

#[test]
fn seeds() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        let count = run_all(&folder, run).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert!(count > 0, "{name} has seeds");
    }
}

#[test]
fn regressions() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(name);
        if folder.exists() {
            run_all(&folder, run).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        }
    }
}

/// Short inputs of every first bytes: no setting is out of reach of a test.
#[test]
fn every_setting() {
    for (_, run) in TARGETS {
        for first in 0..=255 {
            for second in [0, 1, 2, 4, 8, 15, 255] {
                run(&[first, second, 3, 0x81, 0x81, 0, 0, 0, 0, b'a', 0x88, 0x80, 0, 0, 0, 0]);
            }
        }
    }
}
