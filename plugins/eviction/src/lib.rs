//! The eviction policies themselves, in plain Rust: each is a plugin in the folder of its name, and
//! here they can be measured side by side without WebAssembly.
//!
//! A policy says what the papers say: [`Policy`]. [`Driver`] stands between it and the contract's
//! order of events, and [`Account`] makes a plugin of both.

mod account;
mod driver;
mod fifo;
mod gdsf;
mod lru;
mod policy;
mod queues;
mod quota;
mod s3_fifo;
mod sieve;
mod simulation;
mod sketch;
mod w_tinylfu;

#[cfg(test)]
mod testing;

pub use account::{Account, Open};
pub use deja_plugin::eviction::Capacity;
pub use driver::Driver;
pub use fifo::Fifo;
pub use gdsf::Gdsf;
pub use lru::Lru;
pub use policy::{Item, Policy};
pub use s3_fifo::S3Fifo;
pub use sieve::Sieve;
pub use simulation::Simulation;
pub use w_tinylfu::{Shares, WTinyLfu};
