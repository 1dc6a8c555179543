//! Keys and values of the positions that a model has seen.

use mlx_rs::{
    Array,
    error::Result,
    ops::{
        concatenate,
        indexing::{TryIndexMutOp, TryIndexOp},
        zeros_dtype,
    },
};

/// Positions by which a buffer grows, as in `mlx_lm`'s `KVCache`.
const STEP: i32 = 256;

/// The KV cache of one sequence.
#[derive(Debug)]
pub(crate) struct KvCache {
    pub(crate) layers: Vec<LayerCache>,
}

/// The KV cache of one sequence in one layer.
#[derive(Debug, Default)]
pub(crate) struct LayerCache {
    keys: Buffer,
    values: Buffer,
}

impl KvCache {
    pub(crate) fn new(layers: usize) -> Self {
        Self {
            layers: (0..layers).map(|_| LayerCache::default()).collect(),
        }
    }

    /// The arrays that hold everything; evaluating them completes all that was added.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &Array> {
        self.layers
            .iter()
            .flat_map(|layer| [&layer.keys, &layer.values])
            .filter_map(Buffer::array)
    }
}

impl LayerCache {
    /// Positions held.
    pub(crate) fn length(&self) -> i32 {
        self.keys.length
    }

    /// Adds keys and values [1, heads, added, head size]; returns those of all positions.
    pub(crate) fn append(&mut self, keys: &Array, values: &Array) -> Result<(Array, Array)> {
        Ok((self.keys.append(keys)?, self.values.append(values)?))
    }
}

/// An array [1, heads, capacity, head size] that is filled in place: an update takes over the old
/// array's memory, since nothing else holds it.
#[derive(Debug, Default)]
struct Buffer {
    array: Option<Array>,
    length: i32,
}

impl Buffer {
    fn array(&self) -> Option<&Array> {
        self.array.as_ref()
    }

    fn append(&mut self, added: &Array) -> Result<Array> {
        let (start, end) = (self.length, self.length + added.dim(2));
        let mut array = match self.array.take() {
            Some(array) if end <= array.dim(2) => array,
            full => grown(full, start, added)?,
        };
        array.try_index_mut((.., .., start..end, ..), added)?;
        let all = array.try_index((.., .., ..end, ..))?;
        self.array = Some(array);
        self.length = end;
        Ok(all)
    }
}

/// A copy of the first `length` positions with room for those to be added.
fn grown(full: Option<Array>, length: i32, added: &Array) -> Result<Array> {
    let room = (added.dim(2) + STEP - 1) / STEP * STEP;
    let shape = [added.dim(0), added.dim(1), room, added.dim(3)];
    let empty = zeros_dtype(&shape, added.dtype())?;
    match full {
        Some(full) => {
            let held = full.try_index((.., .., ..length, ..))?;
            concatenate(&[held, empty], 2)
        }
        None => Ok(empty),
    }
}
