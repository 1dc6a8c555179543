//! Queues whose items are found by id, and move within and between queues, in constant time and
//! without allocation: nodes of doubly linked lists in one slab, linked by their places there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rustc_hash::FxBuildHasher;
use slab::Slab;

use crate::{Item, quota::Quota};

/// Where an item is kept, until it is removed.
pub(crate) type Slot = usize;

/// `N` queues of items, each item with a mark.
#[derive(Debug)]
pub(crate) struct Queues<T, const N: usize> {
    slots: HashMap<u64, Slot, FxBuildHasher>,
    nodes: Slab<Node<T>>,
    ends: [Ends; N],
}

#[derive(Debug)]
struct Node<T> {
    item: Item,
    mark: T,
    queue: usize,
    older: Option<Slot>,
    newer: Option<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    oldest: Option<Slot>,
    newest: Option<Slot>,
    load: Quota,
}

impl<T, const N: usize> Default for Queues<T, N> {
    fn default() -> Self {
        Self {
            slots: HashMap::default(),
            nodes: Slab::new(),
            ends: [Ends::default(); N],
        }
    }
}

impl<T, const N: usize> Queues<T, N> {
    /// Adds an item as the newest of a queue. One whose id is here already stays as it is.
    pub(crate) fn push(&mut self, queue: usize, item: Item, mark: T) {
        let Entry::Vacant(place) = self.slots.entry(item.id) else {
            return;
        };
        let slot = self.nodes.insert(Node {
            item,
            mark,
            queue,
            older: None,
            newer: None,
        });
        place.insert(slot);
        self.link(slot, queue);
    }

    pub(crate) fn find(&self, id: u64) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    pub(crate) fn queue(&self, slot: Slot) -> usize {
        self.nodes[slot].queue
    }

    pub(crate) fn item(&self, slot: Slot) -> &Item {
        &self.nodes[slot].item
    }

    pub(crate) fn mark(&mut self, slot: Slot) -> &mut T {
        &mut self.nodes[slot].mark
    }

    /// Makes an item the newest of a queue, its own or another.
    pub(crate) fn refile(&mut self, slot: Slot, queue: usize) {
        self.unlink(slot);
        self.link(slot, queue);
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Item {
        self.unlink(slot);
        let item = self.nodes.remove(slot).item;
        self.slots.remove(&item.id);
        item
    }

    pub(crate) fn oldest(&self, queue: usize) -> Option<Slot> {
        self.ends[queue].oldest
    }

    /// The next that came into the queue after this one.
    pub(crate) fn newer(&self, slot: Slot) -> Option<Slot> {
        self.nodes[slot].newer
    }

    /// What a queue holds.
    pub(crate) fn load(&self, queue: usize) -> Quota {
        self.ends[queue].load
    }

    fn link(&mut self, slot: Slot, queue: usize) {
        let ends = &mut self.ends[queue];
        let older = ends.newest.replace(slot);
        if ends.oldest.is_none() {
            ends.oldest = Some(slot);
        }
        let node = &mut self.nodes[slot];
        ends.load.entries += 1;
        ends.load.bytes = ends.load.bytes.wrapping_add(node.item.bytes);
        (node.queue, node.older, node.newer) = (queue, older, None);
        if let Some(older) = older {
            self.nodes[older].newer = Some(slot);
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let node = &self.nodes[slot];
        let (older, newer) = (node.older, node.newer);
        let ends = &mut self.ends[node.queue];
        ends.load.entries -= 1;
        ends.load.bytes = ends.load.bytes.wrapping_sub(node.item.bytes);
        match older {
            Some(older) => self.nodes[older].newer = newer,
            None => ends.oldest = newer,
        }
        match newer {
            Some(newer) => self.nodes[newer].older = older,
            None => ends.newest = older,
        }
    }
}

impl<T: Copy, const N: usize> Queues<T, N> {
    /// A queue's items and their marks, oldest first.
    pub(crate) fn save(&self, queue: usize) -> Vec<(Item, T)> {
        std::iter::successors(self.oldest(queue), |&slot| self.newer(slot))
            .map(|slot| (self.nodes[slot].item, self.nodes[slot].mark))
            .collect()
    }

    /// Queues of items and their marks, oldest first.
    pub(crate) fn restore(saved: [Vec<(Item, T)>; N]) -> Self {
        let mut queues = Self::default();
        for (queue, items) in saved.into_iter().enumerate() {
            for (item, mark) in items {
                queues.push(queue, item, mark);
            }
        }
        queues
    }
}
