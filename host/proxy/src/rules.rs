//! What the pipeline goes by. All of it can change while the server runs; a request keeps the rules
//! under which it began.

use deja_cache::{Floor, KeyerChain, Memo};

use crate::{backend::Backends, settings::ProxySettings};

/// One set of rules. The memo belongs to it: under other rules the same bytes may be another key.
pub(crate) struct Rules {
    pub(crate) settings: ProxySettings,
    pub(crate) keyers: KeyerChain,
    pub(crate) backends: Backends,
    pub(crate) memo: Memo,
    /// Open if it is for any of the keyers.
    pub(crate) floor: Floor,
}

impl Rules {
    pub(crate) fn new(settings: ProxySettings, keyers: KeyerChain, backends: Backends) -> Self {
        let memo = Memo::new(settings.memo_entries);
        Self {
            floor: keyers.floor(),
            settings,
            keyers,
            backends,
            memo,
        }
    }

    /// The same with other keyers.
    pub(crate) fn with_keyers(&self, keyers: KeyerChain) -> Self {
        Self::new(self.settings.clone(), keyers, self.backends.clone())
    }

    /// The same with other settings and backends.
    pub(crate) fn with_settings(&self, settings: ProxySettings, backends: Backends) -> Self {
        Self::new(settings, self.keyers.clone(), backends)
    }
}
