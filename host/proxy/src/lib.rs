//! The HTTP server and its request pipeline: accept → decode → key → look up → coalesce → fetch →
//! record → reply.
//!
//! [`pipeline`](Proxy::answer) is the place to start reading.

#![forbid(unsafe_code)]

mod arrival;
mod backend;
mod cache_status;
mod decode;
mod error;
mod health;
mod pipeline;
mod reply;
mod router;
mod server;
mod settings;
mod tally;

pub use backend::Backend;
pub use pipeline::Proxy;
pub use server::{Server, ServerError};
pub use settings::{PartitionBy, ProxySettings, ServerSettings};
