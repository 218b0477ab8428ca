//! What the tools take from the server's settings.

use std::path::Path;

use crate::config::{Config, Layers};

/// The settings of a server that is started with this file in this environment.
///
/// # Errors
/// When the file cannot be read, or what comes of both is no configuration.
pub(super) fn settings(file: Option<&Path>) -> Result<Config, String> {
    let environment = std::env::vars_os();
    let environment = environment.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let layers =
        Layers { file: file.map(Path::to_owned), environment: environment.collect(), ..Layers::default() };
    layers.resolve().map_err(|e| e.to_string())
}
