//! How an engine is set up.

use std::{ffi::OsString, fmt, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Residency, model_info};

/// What an engine runs, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the model is.
    pub model: Source,
    /// What the model is called.
    pub name: String,
    /// Tokens that prompt and answer may have together, if fewer than the model's own limit.
    pub context_length: Option<u32>,
    /// Starts a process that calls [`run_worker`](crate::run_worker).
    pub worker: WorkerCommand,
    /// How long a worker may take to load the model.
    pub start_timeout: Duration,
    /// How long a request waits for a worker that is being started again, for a model that is being
    /// fetched, or for memory.
    pub patience: Duration,
    /// How long the model stays loaded without a request, if not for ever.
    pub idle_timeout: Option<Duration>,
    /// The memory that the model shares with others.
    pub residency: Residency,
    /// The most generations that wait or run at once; more are refused.
    pub max_waiting: usize,
    /// What the worker may use.
    pub limits: Limits,
}

/// Where a model is.
#[derive(Clone)]
pub enum Source {
    /// A `.gguf` file, or a Hugging Face folder (`config.json`, `*.safetensors`, `tokenizer.json`,
    /// `tokenizer_config.json`).
    Here(PathBuf),
    /// Elsewhere: this fetches it before it is loaded for the first time, or says why it cannot. It
    /// may block.
    Elsewhere(Arc<dyn Fn() -> Result<PathBuf, String> + Send + Sync>),
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(path) => formatter.debug_tuple("Here").field(path).finish(),
            Self::Elsewhere(_) => formatter.write_str("Elsewhere"),
        }
    }
}

/// What a worker may use of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The most answers that are computed at once; others wait.
    pub max_running: usize,
    /// Bytes of keys and values of the answers in the making. Those that began last are set back
    /// when there are more.
    pub kv_bytes: usize,
    /// Bytes of keys and values that are kept for requests that begin like earlier ones; none are
    /// with 0.
    pub prefix_cache_bytes: usize,
    /// Bytes that MLX may take in all before it waits for what it computes, if not its own limit.
    pub memory_bytes: Option<usize>,
    /// Bytes of freed memory that MLX holds ready, if not its own limit.
    pub spare_bytes: Option<usize>,
    /// Bytes that macOS keeps in memory for the GPU, if not MLX's own limit.
    pub wired_bytes: Option<usize>,
}

impl Default for Limits {
    /// 16 answers at once, 8 GiB for them, and 2 GiB for what is kept.
    fn default() -> Self {
        Self {
            max_running: 16,
            kv_bytes: 8 << 30,
            prefix_cache_bytes: 2 << 30,
            memory_bytes: None,
            spare_bytes: None,
            wired_bytes: None,
        }
    }
}

impl Settings {
    /// The standard settings for a model that is here, called after its file or folder: its own
    /// context, two minutes to load it, 30 seconds to wait, 256 generations at once, the standard
    /// limits, and as much memory as it takes, for ever.
    #[must_use]
    pub fn new(model: impl Into<PathBuf>, worker: WorkerCommand) -> Self {
        let path = model.into();
        Self {
            name: model_info::name(&path),
            model: Source::Here(path),
            context_length: None,
            worker,
            start_timeout: Duration::from_mins(2),
            patience: Duration::from_secs(30),
            idle_timeout: None,
            residency: Residency::default(),
            max_waiting: 256,
            limits: Limits::default(),
        }
    }
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program, as a path.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// The running program itself, started again with these arguments.
    pub fn this_program<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            arguments: arguments.into_iter().map(Into::into).collect(),
        })
    }
}
