//! Streams of Anthropic's API: see [`deja_fuzz::sse`].

#![no_main]

use deja_wire::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| deja_fuzz::sse::check(Endpoint::Messages, data));
