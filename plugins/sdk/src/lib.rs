//! What a policy plugin for Deja is written with: the contract's types and functions, and one macro
//! for each kind of plugin that makes a component of it.
//!
//! [`keyer!`] makes a keyer of a function, [`eviction_policy!`] and [`stats_account!`] make the
//! other two kinds of a type with one `impl`; the `export_…!` macros take what the contract's own
//! traits are implemented for. [`testing`] tests a policy without WebAssembly.
//!
//! The contract itself, with a word on every function, is `wit/deja-policy.wit`.

#[doc(hidden)]
pub mod bindings;
pub mod eviction;
mod export;
pub mod ids;
pub mod keyer;
pub mod log;
pub mod pointer;
pub mod rules;
mod settings;
pub mod stats;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::plugin::exports::deja::policy::plugin::{Descriptor, Guest as Plugin};
pub use settings::{NO_SETTINGS, NoSettings, Settings, SettingsCell, no_settings};
