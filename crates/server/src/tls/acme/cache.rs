//! What outlives the server: the account, and the certificate with its key.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const ACCOUNT: &str = "account.json";
/// The key and its certificates in one file, so that they always belong together.
const CERTIFICATE: &str = "certificate.pem";

/// A folder that only this user can look into, with one in it for each authority.
#[derive(Debug)]
pub(super) struct Cache(PathBuf);

impl Cache {
    /// Makes the folder if it is not there. What came from another authority, such as one for tests, is not found again.
    ///
    /// # Errors
    /// When it cannot be made, or cannot be closed to others.
    pub(super) fn open(folder: &Path, directory: &str) -> Result<Self, String> {
        let name = directory.trim_start_matches("https://");
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let own = folder.join(name.chars().map(plain).collect::<String>());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&own);
        let closed = made.and_then(|()| {
            [folder, &own]
                .into_iter()
                .try_for_each(|path| fs::set_permissions(path, Permissions::from_mode(0o700)))
        });
        closed.map_err(|error| format!("tls.acme.cache {} cannot be used: {error}", folder.display()))?;
        Ok(Self(own))
    }

    /// The account at the authority, as JSON.
    pub(super) fn account(&self) -> Result<Option<Vec<u8>>, String> {
        self.read(ACCOUNT)
    }

    pub(super) fn keep_account(&self, json: &[u8]) -> Result<(), String> {
        self.write(ACCOUNT, json)
    }

    /// The authority knows it no longer.
    pub(super) fn forget_account(&self) -> Result<(), String> {
        let path = self.0.join(ACCOUNT);
        fs::remove_file(&path).map_err(|error| format!("{} cannot be removed: {error}", path.display()))
    }

    /// A key and its certificates, in PEM.
    pub(super) fn certificate(&self) -> Result<Option<Vec<u8>>, String> {
        self.read(CERTIFICATE)
    }

    pub(super) fn keep_certificate(&self, pem: &[u8]) -> Result<(), String> {
        self.write(CERTIFICATE, pem)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
        }
    }

    /// All of it or nothing, whenever the machine stops.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        let write = || {
            // One that was left behind may be open to others.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }
}
