//! End-to-end tests, one module per feature. `cargo xtask test` runs them.

mod answers;
mod bad_input;
mod clients;
mod coalescing;
mod configuration;
mod plugins;
mod shutdown;
mod worker;
