//! MLX inference in a worker process.
//!
//! [`Engine`] starts the worker, speaks with it over a socket, and starts it again when it dies.
//! The worker is the same program, started again, calling [`run_worker`].

mod answer;
mod back_off;
mod batch;
mod command;
mod embedder;
mod engine;
mod error;
mod evaluate;
#[doc(hidden)]
pub mod fuzzing;
mod generate;
mod language_model;
mod model;
mod model_info;
mod output;
mod protocol;
mod residency;
mod sampler;
mod scheduler;
mod scoring;
mod settings;
mod status;
mod supervisor;
mod template;
mod text;
mod tokenizer;
mod waiting;
mod worker;
mod worker_process;

pub use engine::{Engine, Generation};
pub use error::EngineError;
pub use evaluate::Pooling;
pub use generate::{Step, TokenStream};
pub use language_model::LanguageModel;
pub use model_info::ModelInfo;
pub use residency::Residency;
pub use settings::{Limits, Settings, Source, WorkerCommand};
pub use status::{WorkerState, WorkerStatus};
pub use worker::run_worker;
