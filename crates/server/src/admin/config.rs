//! `GET config`: the settings in force, without secrets.

use std::path::PathBuf;
use std::rc::Rc;

use serde::Serialize;

use super::{AdminError, AdminRequest, Json};
use crate::config::{Setting, shown};
use crate::serve::Worker;

#[derive(Serialize)]
struct InForce<'a> {
    file: Option<&'a PathBuf>,
    development: bool,
    settings: Vec<Setting>,
}

pub(super) async fn answer(worker: &Rc<Worker>, _: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let settings = worker.settings();
    let list = shown(&settings.config, &settings.origins).map_err(|error| AdminError::internal(&error))?;
    Json::of(&InForce {
        file: worker.shared().file.as_ref(),
        development: settings.development,
        settings: list,
    })
}
