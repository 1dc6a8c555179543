//! What a policy plugin for Deja is written with: the contract's types and functions, and one macro
//! for each kind of plugin that makes a component of it.
//!
//! The contract itself, with a word on every function, is `wit/deja-policy.wit`.

#[doc(hidden)]
pub mod bindings;
pub mod log;
mod settings;

pub use bindings::plugin::exports::deja::policy::plugin::{Descriptor, Guest as Plugin};
pub use settings::{NO_SETTINGS, no_settings};

/// For plugins that say what counts as the same question.
pub mod keyer {
    use std::ops::Range;

    pub use crate::bindings::keyer::deja::policy::http_request::{Endpoint, Request, Role, Text};
    pub use crate::bindings::keyer::exports::deja::policy::keyer::{
        Assignment, Change, Decision, Edit, Guest as Keyer, Recipe, Splice,
    };

    impl Edit {
        /// Puts a replacement where these bytes of the string at a pointer stand.
        #[must_use]
        pub fn splice(rule: &str, pointer: &str, bytes: Range<usize>, replacement: &str) -> Self {
            let splice = Splice {
                pointer: pointer.to_owned(),
                start: offset(bytes.start),
                end: offset(bytes.end),
                replacement: replacement.to_owned(),
            };
            Self {
                rule: rule.to_owned(),
                change: Change::Rewrite(splice),
            }
        }
    }

    /// No string that fits into a component is longer than an offset can say.
    fn offset(byte: usize) -> u32 {
        u32::try_from(byte).unwrap_or(u32::MAX)
    }

    impl From<Vec<Edit>> for Recipe {
        fn from(edits: Vec<Edit>) -> Self {
            Self {
                edits,
                partition: None,
                ttl_seconds: None,
                tags: Vec::new(),
            }
        }
    }
}

/// For plugins that choose what leaves the cache.
pub mod eviction {
    pub use crate::bindings::eviction::exports::deja::policy::eviction::{
        Capacity, Cause, Entry, Guest as Eviction, GuestPolicy as Policy,
    };
}

/// For plugins that say what is reported.
pub mod stats {
    pub use crate::bindings::stats::exports::deja::policy::stats::{
        Event, Gauges, Guest as Stats, GuestCollector as Collector, Outcome, Sample,
    };
}

/// Makes a component of a type that implements [`keyer::Keyer`] and takes no settings; or such as
/// this JSON Schema tells and this function, a `fn(&str) -> Result<(), String>`, takes.
#[macro_export]
macro_rules! export_keyer {
    ($plugin:ident) => {
        $crate::export_plugin!(keyer, $plugin, $crate::NO_SETTINGS, $crate::no_settings);
    };
    ($plugin:ident, $schema:expr, $configure:expr) => {
        $crate::export_plugin!(keyer, $plugin, $schema, $configure);
    };
}

/// Makes a component of a type that implements [`eviction::Eviction`] and takes no settings; or
/// such as this JSON Schema tells and this function, a `fn(&str) -> Result<(), String>`, takes.
#[macro_export]
macro_rules! export_eviction {
    ($plugin:ident) => {
        $crate::export_plugin!(eviction, $plugin, $crate::NO_SETTINGS, $crate::no_settings);
    };
    ($plugin:ident, $schema:expr, $configure:expr) => {
        $crate::export_plugin!(eviction, $plugin, $schema, $configure);
    };
}

/// Makes a component of a type that implements [`stats::Stats`] and takes no settings.
#[macro_export]
macro_rules! export_stats {
    ($plugin:ident) => {
        $crate::export_plugin!(stats, $plugin, $crate::NO_SETTINGS, $crate::no_settings);
    };
}

/// What the three macros above have in common: the plugin's account of itself comes from its
/// `Cargo.toml`.
#[doc(hidden)]
#[macro_export]
macro_rules! export_plugin {
    ($kind:ident, $plugin:ident, $schema:expr, $configure:expr) => {
        impl $crate::Plugin for $plugin {
            fn describe() -> $crate::Descriptor {
                $crate::Descriptor {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    summary: env!("CARGO_PKG_DESCRIPTION").to_owned(),
                    config_schema: $schema.to_owned(),
                }
            }

            fn configure(config: String) -> Result<(), String> {
                $configure(&config)
            }
        }

        // Other linkers do not know what to do with the contract's names.
        #[cfg(target_family = "wasm")]
        $crate::bindings::plugin::export!($plugin with_types_in $crate::bindings::plugin);
        #[cfg(target_family = "wasm")]
        $crate::bindings::$kind::export!($plugin with_types_in $crate::bindings::$kind);
    };
}
