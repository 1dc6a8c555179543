//! A safetensors file passes only if its header accounts for each of its bytes.

#![no_main]

use std::sync::LazyLock;

use deja_engine::fuzzing;
use deja_fuzz::place::Place;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static PLACE: LazyLock<Place> = LazyLock::new(|| Place::new("model.safetensors"));

fuzz_target!(|data: &[u8]| {
    if fuzzing::safetensors(PLACE.write(data)).is_err() {
        return;
    }
    let (length, rest) = data.split_first_chunk().expect("a length comes first");
    let length = usize::try_from(u64::from_le_bytes(*length)).expect("it lies in the file");
    let (header, tensors) = rest.split_at(length);
    let header: Value = serde_json::from_slice(header).expect("the header is JSON");
    for (name, tensor) in header.as_object().expect("it names tensors") {
        if name != "__metadata__" {
            let end = tensor["data_offsets"][1].as_u64().expect("it has an end");
            assert!(end <= tensors.len() as u64, "{name} ends at {end}");
        }
    }
});
