//! MLX inference in a worker process.
//!
//! [`Engine`] starts the worker, speaks with it over a socket, and starts it again when it dies.
//! The worker is the same program, started again, calling [`run_worker`].

mod answer;
mod back_off;
mod batch;
mod command;
mod engine;
mod error;
mod evaluate;
mod generate;
mod language_model;
mod model;
mod output;
mod protocol;
mod sampler;
mod scheduler;
mod scoring;
mod settings;
mod supervisor;
mod template;
mod text;
mod tokenizer;
mod worker;
mod worker_process;

pub use engine::{Engine, Generation, ModelInfo, WorkerState, WorkerStatus};
pub use error::EngineError;
pub use evaluate::Pooling;
pub use generate::{Step, TokenStream};
pub use language_model::LanguageModel;
pub use settings::{Limits, Settings, WorkerCommand};
pub use worker::run_worker;
