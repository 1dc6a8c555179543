//! How much of a prompt is the beginning of one before.

use std::collections::VecDeque;

/// Prompts before one that it is compared with: sessions run beside each other.
const LATELY: usize = 8;

/// The prompts that came lately.
pub(super) struct Lately<T>(VecDeque<T>);

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Lately<T> {
    /// How many items of a prompt are the beginning of another one; none where it is the first.
    pub(super) fn longest_prefix<U: PartialEq>(&self, prompt: &[U]) -> Option<usize>
    where
        T: AsRef<[U]>,
    {
        let shared = |old: &T| {
            let pairs = old.as_ref().iter().zip(prompt);
            pairs.take_while(|(old, new)| old == new).count()
        };
        self.0.iter().map(shared).max()
    }

    pub(super) fn push(&mut self, prompt: T) {
        self.0.push_back(prompt);
        if self.0.len() > LATELY {
            self.0.pop_front();
        }
    }
}

/// How much of all prompts is the beginning of one before.
#[derive(Clone, Copy, Default)]
pub(super) struct SharedPrefix {
    pub(super) shared: u64,
    pub(super) total: u64,
}

impl SharedPrefix {
    pub(super) fn add(&mut self, shared: u64, total: u64) {
        self.shared += shared;
        self.total += total;
    }

    /// The share, from 0 to 1; none where there is no prompt to speak of.
    pub(super) fn rate(self) -> Option<f64> {
        (self.total > 0).then(|| super::rate(self.shared, self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_may_run_beside_each_other() {
        let mut lately = Lately::default();
        assert_eq!(lately.longest_prefix(&[1]), None);
        lately.push(vec![1, 2]);
        lately.push(vec![7]);
        assert_eq!(lately.longest_prefix(&[1, 2, 3]), Some(2));
        for _ in 0..LATELY {
            lately.push(vec![7]);
        }
        assert_eq!(lately.longest_prefix(&[1, 2, 3]), Some(0));
    }
}
