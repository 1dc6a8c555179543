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

/// The KV cache of one sequence. Clones share the arrays until one of them grows.
#[derive(Clone, Debug)]
pub(crate) struct KvCache {
    pub(crate) layers: Vec<LayerCache>,
}

/// The KV cache of one sequence in one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerCache {
    keys: Buffer,
    values: Buffer,
}

/// A sequence's share of one pass through a model: the pass's positions lie one after the other,
/// and this sequence grows by the next `added` of them.
pub(crate) struct Part<'a> {
    pub(crate) cache: &'a mut KvCache,
    pub(crate) added: i32,
}

impl<'a> Part<'a> {
    /// A sequence that grows by all of these tokens [1, length].
    pub(crate) fn of(cache: &'a mut KvCache, tokens: &Array) -> Self {
        Self {
            cache,
            added: tokens.dim(1),
        }
    }
}

impl KvCache {
    pub(crate) fn new(layers: usize) -> Self {
        Self {
            layers: (0..layers).map(|_| LayerCache::default()).collect(),
        }
    }

    /// Positions held.
    pub(crate) fn length(&self) -> usize {
        let length = self.layers.first().map_or(0, LayerCache::length);
        usize::try_from(length).unwrap_or(0)
    }

    /// The first positions, as a cache of their own.
    pub(crate) fn prefix(&self, length: usize) -> Result<Self> {
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        let layers = self.layers.iter().map(|layer| {
            Ok(LayerCache {
                keys: layer.keys.prefix(length)?,
                values: layer.values.prefix(length)?,
            })
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// The arrays that hold everything; evaluating them completes all that was added.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &Array> {
        self.layers
            .iter()
            .flat_map(|layer| [&layer.keys, &layer.values])
            .filter_map(Buffer::array)
    }

    /// Memory that the arrays take up, their room for more positions included.
    pub(crate) fn bytes(&self) -> usize {
        self.arrays().map(Array::nbytes).sum()
    }

    /// Memory that each position takes up; nothing is known before there is one.
    pub(crate) fn bytes_per_position(&self) -> usize {
        let positions = |array: &Array| usize::try_from(array.dim(2)).unwrap_or(1).max(1);
        self.arrays()
            .map(|array| array.nbytes() / positions(array))
            .sum()
    }

    /// Memory that so many positions take up, added at once.
    pub(crate) fn bytes_of(positions: usize, bytes_per_position: usize) -> usize {
        positions.next_multiple_of(STEP.unsigned_abs() as usize) * bytes_per_position
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
/// array's memory where nothing else holds it, and MLX copies it where a clone does.
#[derive(Clone, Debug, Default)]
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

    fn prefix(&self, length: i32) -> Result<Self> {
        let length = length.min(self.length);
        let array = self.array.as_ref().filter(|_| length > 0);
        let cut = |array: &Array| array.try_index((.., .., ..length, ..));
        Ok(Self {
            array: array.map(cut).transpose()?,
            length,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds positions that hold these numbers; returns all positions' numbers.
    fn append(cache: &mut KvCache, numbers: &[f32]) -> Vec<f32> {
        let length = i32::try_from(numbers.len()).expect("is short");
        let added = Array::from_slice(numbers, &[1, 1, length, 1]);
        let layer = cache.layers.first_mut().expect("has a layer");
        let (keys, values) = layer.append(&added, &added).expect("computes");
        let keys: Vec<f32> = keys.to_vec_exact().expect("is f32");
        assert_eq!(keys, values.to_vec_exact::<f32>().expect("is f32"));
        keys
    }

    #[test]
    fn a_prefix_goes_its_own_way() {
        let mut cache = KvCache::new(1);
        append(&mut cache, &[1.0, 2.0, 3.0]);
        let mut other = cache.prefix(2).expect("computes");
        assert_eq!((cache.length(), other.length()), (3, 2));
        assert_eq!(append(&mut other, &[7.0]), [1.0, 2.0, 7.0]);
        assert_eq!(append(&mut cache, &[4.0]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(append(&mut other, &[8.0]), [1.0, 2.0, 7.0, 8.0]);
        let mut none = cache.prefix(0).expect("computes");
        assert_eq!(append(&mut none, &[9.0]), [9.0]);
    }

    #[test]
    fn memory_is_counted_with_its_room() {
        let mut cache = KvCache::new(1);
        assert_eq!(cache.bytes(), 0);
        append(&mut cache, &[1.0, 2.0, 3.0]);
        assert_eq!(cache.bytes(), 2 * 4 * 256);
        assert_eq!(cache.bytes_per_position(), 2 * 4);
        assert_eq!(KvCache::bytes_of(3, 2 * 4), 2 * 4 * 256);
        append(&mut cache, &[0.0; 256]);
        assert_eq!(cache.bytes(), 2 * 4 * (3 + 256));
    }
}
