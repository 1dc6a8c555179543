//! KV caches of sequences that ended, for those that begin like them.

use mlx_rs::error::Result;

use crate::model::KvCache;

/// Ended sequences within a budget of bytes; the least recently used go first.
///
/// They are few, since each is large, so a search through all is cheap beside one token's
/// computation.
#[derive(Debug)]
pub(super) struct PrefixCache {
    /// The least recently used first.
    kept: Vec<Kept>,
    budget: usize,
}

#[derive(Debug)]
struct Kept {
    /// As many as the cache has positions.
    tokens: Vec<u32>,
    cache: KvCache,
}

impl PrefixCache {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            kept: Vec::new(),
            budget,
        }
    }

    /// The longest beginning of these tokens that is known, as a cache of its own.
    pub(super) fn longest(&mut self, tokens: &[u32]) -> Result<Option<KvCache>> {
        let lengths = self.kept.iter().map(|kept| common(&kept.tokens, tokens));
        let longest = lengths.enumerate().max_by_key(|(_, length)| *length);
        let Some((index, length)) = longest.filter(|(_, length)| *length > 0) else {
            return Ok(None);
        };
        let used = self.kept.remove(index);
        let prefix = used.cache.prefix(length)?;
        self.kept.push(used);
        Ok(Some(prefix))
    }

    /// Keeps a sequence, of whose tokens the cache may lack the last ones. Those that it goes on
    /// from are of no more use.
    pub(super) fn keep(&mut self, mut tokens: Vec<u32>, cache: KvCache) {
        tokens.truncate(cache.length());
        let known = |kept: &Kept| kept.tokens.starts_with(&tokens);
        if tokens.is_empty() || cache.bytes() > self.budget || self.kept.iter().any(known) {
            return;
        }
        self.kept.retain(|kept| !tokens.starts_with(&kept.tokens));
        self.kept.push(Kept { tokens, cache });
        while self.bytes() > self.budget {
            self.kept.remove(0);
        }
    }

    /// Memory that the kept caches take up.
    pub(super) fn bytes(&self) -> usize {
        self.kept.iter().map(|kept| kept.cache.bytes()).sum()
    }
}

/// How many tokens two sequences begin with in common.
pub(super) fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use mlx_rs::Array;

    use super::*;

    /// A cache of 256 positions takes up so many bytes.
    const BYTES: usize = 2 * 4 * 256;

    /// A cache of these tokens; the numbers that it holds are the tokens.
    #[expect(clippy::cast_precision_loss, reason = "the tokens are small")]
    fn cache(tokens: &[u32]) -> KvCache {
        let mut cache = KvCache::new(1);
        let length = i32::try_from(tokens.len()).expect("is short");
        let numbers: Vec<_> = tokens.iter().map(|token| *token as f32).collect();
        let added = Array::from_slice(&numbers, &[1, 1, length, 1]);
        cache.layers[0].append(&added, &added).expect("computes");
        cache
    }

    fn keep(prefixes: &mut PrefixCache, tokens: &[u32]) {
        prefixes.keep(tokens.to_vec(), cache(tokens));
    }

    fn known(prefixes: &mut PrefixCache, tokens: &[u32]) -> usize {
        let longest = prefixes.longest(tokens).expect("computes");
        longest.map_or(0, |cache| cache.length())
    }

    #[test]
    fn the_longest_common_beginning_is_found() {
        let mut prefixes = PrefixCache::new(9 * BYTES);
        keep(&mut prefixes, &[1, 2, 3]);
        keep(&mut prefixes, &[1, 2, 4, 5]);
        assert_eq!(known(&mut prefixes, &[1, 2, 4, 6]), 3);
        assert_eq!(known(&mut prefixes, &[1, 2, 3, 4, 5]), 3);
        assert_eq!(known(&mut prefixes, &[1]), 1);
        assert_eq!(known(&mut prefixes, &[2, 1]), 0);
    }

    #[test]
    fn a_sequence_takes_the_place_of_those_that_it_goes_on_from() {
        let mut prefixes = PrefixCache::new(9 * BYTES);
        keep(&mut prefixes, &[1, 2]);
        keep(&mut prefixes, &[1, 2, 3]);
        assert_eq!(prefixes.bytes(), BYTES);
        keep(&mut prefixes, &[1]);
        assert_eq!(prefixes.bytes(), BYTES);
        assert_eq!(known(&mut prefixes, &[1, 2, 3]), 3);
    }

    #[test]
    fn tokens_without_their_positions_are_not_known() {
        let mut prefixes = PrefixCache::new(9 * BYTES);
        prefixes.keep(vec![1, 2, 3], cache(&[1, 2]));
        assert_eq!(known(&mut prefixes, &[1, 2, 3]), 2);
    }

    #[test]
    fn the_budget_holds_and_the_least_recently_used_goes_first() {
        let mut prefixes = PrefixCache::new(2 * BYTES);
        keep(&mut prefixes, &[1, 1]);
        keep(&mut prefixes, &[2, 2]);
        assert_eq!(known(&mut prefixes, &[1]), 1);
        keep(&mut prefixes, &[3, 3]);
        assert_eq!(prefixes.bytes(), 2 * BYTES);
        assert_eq!(known(&mut prefixes, &[2]), 0);
        assert_eq!(known(&mut prefixes, &[1]), 1);
        let mut none = PrefixCache::new(BYTES - 1);
        keep(&mut none, &[1]);
        assert_eq!(known(&mut none, &[1]), 0);
    }
}
