//! The HTTP server and its request pipeline: accept → decode → key → look up → coalesce → fetch →
//! record → reply.
//!
//! [`pipeline`](Proxy::answer) is the place to start reading.

#![forbid(unsafe_code)]

mod admin;
mod arrival;
mod backend;
mod bearer;
mod body;
mod budget;
mod cache_status;
mod client;
mod coding;
mod conversations;
mod cors;
mod decode;
mod directives;
mod error;
mod exchange;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod hosts;
mod looked;
mod metrics;
mod pass_through;
mod pieces;
mod pipeline;
mod plan;
mod reply;
mod router;
mod rules;
mod server;
mod settings;
mod tally;
mod tenants;
mod via;

pub use backend::{
    Backend, Backends, ClientKey, Pattern, PatternError, Routed, Upstream, UpstreamError,
    UpstreamSettings,
};
pub use client::client_builder;
pub use conversations::ConversationLimits;
pub use deja_wire::{Api, Unsupported};
pub use pipeline::Proxy;
pub use reqwest::Url;
pub use server::{Server, ServerError};
pub use settings::{Hosts, Origins, PartitionBy, ProxySettings, Secret, ServerSettings};
