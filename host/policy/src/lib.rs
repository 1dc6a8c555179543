//! The plugin host: policies as WebAssembly components.
//!
//! [`PluginHost`] finds the components that are configured, checks them, and makes them the
//! [`Keyer`](deja_cache::Keyer)s, the [`Eviction`](deja_cache::Eviction) and the
//! [`Stats`](deja_cache::Stats) of a cache; a [`Watcher`] makes new ones of the files that are
//! dropped into the plugin folder. Whatever a plugin does ends in an error of the one call.

#![forbid(unsafe_code)]

mod blueprint;
mod breaker;
mod compiled;
mod component;
mod contract;
mod convert;
mod error;
mod eviction;
mod fault;
mod host;
mod inspect;
mod interface;
mod keyer;
mod library;
mod lone_keyer;
mod plugin_file;
mod plugin_log;
mod prepare;
mod runtime;
mod sandbox;
mod self_test;
mod settings;
mod source;
mod stateful;
mod stats;
mod status;
mod wasi;
mod watch;

pub use breaker::{BreakerLimits, BreakerState};
pub use error::{PluginError, Problem};
pub use eviction::WasmEviction;
pub use fault::{Fault, LimitExceeded};
pub use host::{PluginHost, Policies, Replacement};
pub use inspect::{Inspection, Inspector};
pub use library::{EvictionPlugin, PluginLibrary};
pub use lone_keyer::LoneKeyer;
pub use settings::{Limits, PluginChoice, PluginKind, PluginSettings};
pub use source::Source;
pub use stats::WasmStats;
pub use status::PluginStatus;
pub use watch::Watcher;
