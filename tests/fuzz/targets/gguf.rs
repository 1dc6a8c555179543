//! Any GGUF file is read or refused, all but its weights.

#![no_main]

use std::sync::LazyLock;

use deja_engine::{ModelInfo, fuzzing};
use deja_fuzz::place::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(|| Place::new("model.gguf"));

fuzz_target!(|data: &[u8]| {
    let path = PLACE.write(data);
    if fuzzing::gguf(path).is_ok() {
        ModelInfo::read(path, None).expect("the outline of a sound file can be read");
    }
});
