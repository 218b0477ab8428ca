mod bounds;
mod model;

use std::sync::Arc;

use super::MemoryEngine;
use crate::engine::suite;

#[test]
fn keeps_every_promise_of_an_engine() {
    suite::all(|sink, clock| Arc::new(MemoryEngine::new(sink, clock)));
}
