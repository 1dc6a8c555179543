//! End-to-end tests, one module per feature. `cargo xtask test` runs them.

mod admin;
mod answers;
mod authors;
mod backends;
mod bad_input;
mod bench;
mod cache_control;
mod claude_code;
mod clients;
mod coalescing;
mod configuration;
mod cors;
mod examples;
mod keep_alive;
mod limits;
mod logs;
mod metrics;
mod partitions;
mod pass_through;
mod plugins;
mod reload;
mod shutdown;
mod tls;
mod translation;
mod watch;
mod worker;
