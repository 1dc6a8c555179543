//! Any stream between engine and worker is read the same however it is cut, and what was read is
//! written so that it is read the same again.

#![no_main]

use bytes::Bytes;
use deja_engine::fuzzing;
use deja_fuzz::pieces::cut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let to_worker = fuzzing::to_worker([data]);
    assert_eq!(fuzzing::to_worker(cut(data)), to_worker);
    check(&to_worker, |frame| fuzzing::to_worker([frame]));
    let from_worker = fuzzing::from_worker([data]);
    assert_eq!(fuzzing::from_worker(cut(data)), from_worker);
    check(&from_worker, |frame| fuzzing::from_worker([frame]));
});

/// Reads each message again. One with an infinite number, which no peer sends, cannot be.
fn check(messages: &[Bytes], read: impl Fn(&[u8]) -> Vec<Bytes>) {
    for message in messages {
        let length = u32::try_from(message.len()).expect("it came in a frame");
        let again = read(&[&length.to_le_bytes()[..], message].concat());
        assert!(again.is_empty() || again == [message.clone()]);
    }
}
