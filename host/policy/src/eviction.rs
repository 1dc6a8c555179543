//! Eviction policies over WebAssembly.

use deja_cache::{EntryFacts, EntryId, Eviction, PolicyError, RemovalCause};

use crate::contract::eviction::GuestIndices;
use crate::stateful::Stateful;

/// An eviction policy that is a component.
pub struct WasmEviction(pub(crate) Stateful<GuestIndices>);

impl WasmEviction {
    /// Bytes of memory that it holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

impl Eviction for WasmEviction {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn on_insert(&mut self, entry: &EntryFacts) -> Result<(), PolicyError> {
        let entry = (*entry).into();
        self.0.call(|functions, store, policy| {
            functions.policy().call_on_insert(store, policy, entry)
        })
    }

    fn on_hit(&mut self, ids: &[EntryId]) -> Result<(), PolicyError> {
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        self.0
            .call(|functions, store, policy| functions.policy().call_on_hit(store, policy, &ids))
    }

    fn on_remove(&mut self, id: EntryId, cause: RemovalCause) -> Result<(), PolicyError> {
        self.0.call(|functions, store, policy| {
            functions
                .policy()
                .call_on_remove(store, policy, id.0, cause.into())
        })
    }

    fn victims(&mut self, bytes: u64, entries: u64) -> Result<Vec<EntryId>, PolicyError> {
        let victims = self.0.call(|functions, store, policy| {
            functions
                .policy()
                .call_victims(store, policy, bytes, entries)
        })?;
        Ok(victims.into_iter().map(EntryId).collect())
    }

    fn note_useless(&mut self, why: &str) {
        self.0.useless(why);
    }

    fn save(&mut self) -> Result<Vec<u8>, PolicyError> {
        self.0
            .call(|functions, store, policy| functions.policy().call_save(store, policy))
    }

    fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError> {
        self.0
            .call(|functions, store, policy| functions.policy().call_restore(store, policy, state))
    }
}
