//! The engine with a real model: against `mlx_lm`, through its worker process, and with files that
//! are no models.

mod answers;
mod broken_models;
mod parity;
mod prompts;
mod support;
mod tiny_models;
mod token_counts;
mod workers;
