//! What the tools take from a configuration file: one table of it.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Table;

/// The table of a configuration file under a path of names; its defaults where the file has none.
///
/// # Errors
/// When the file cannot be read, or the table holds what it should not.
pub(super) fn table<T: DeserializeOwned + Default>(file: &Path, path: &[&str]) -> Result<T, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|e| format!("{name} cannot be read: {e}"))?;
    let mut table: Table = text.parse().map_err(|e| format!("{name}: {e}"))?;
    for key in path {
        match table.remove(*key) {
            Some(toml::Value::Table(inner)) => table = inner,
            Some(_) => return Err(format!("{name}: {} is no table", path.join("."))),
            None => return Ok(T::default()),
        }
    }
    table.try_into().map_err(|e| format!("{name}: [{}]: {e}", path.join(".")))
}
