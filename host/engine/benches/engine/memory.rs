//! The machine's memory, which bounds how fast a model can decode: each token needs all weights.

use std::{fs, hint::black_box, path::Path, thread, time::Instant};

const BYTES: usize = 512 << 20;
const ROUNDS: usize = 5;

/// Bytes a second that all cores read together, at best.
pub(crate) fn read_rate() -> f64 {
    let words = vec![1_u64; BYTES / size_of::<u64>()];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = words.len().div_ceil(cores);
    let seconds = || {
        let start = Instant::now();
        thread::scope(|scope| {
            for words in words.chunks(share) {
                scope.spawn(|| black_box(words.iter().sum::<u64>()));
            }
        });
        start.elapsed().as_secs_f64()
    };
    let best = (0..ROUNDS).map(|_| seconds()).fold(f64::MAX, f64::min);
    as_number(BYTES as u64) / best
}

/// Bytes of the weights in a Hugging Face folder.
pub(crate) fn weights(folder: &Path) -> f64 {
    let files = fs::read_dir(folder).expect("it is there");
    let paths = files.map(|file| file.expect("it can be listed").path());
    let weights = paths.filter(|path| path.extension().is_some_and(|kind| kind == "safetensors"));
    let sizes = weights.map(|path| path.metadata().expect("it is there").len());
    as_number(sizes.sum())
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many")]
fn as_number(bytes: u64) -> f64 {
    bytes as f64
}
