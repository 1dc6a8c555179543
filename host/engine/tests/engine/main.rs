//! The engine with a real model: against `mlx_lm`, through its worker process, and with files that
//! are no models.

mod answers;
mod batching;
mod broken_models;
mod calls;
mod embeddings;
mod parity;
mod prefixes;
mod prompts;
mod residency;
mod sampling;
mod scoring;
mod support;
mod tiny_models;
mod token_counts;
mod workers;
