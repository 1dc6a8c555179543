//! How a worker process is doing.

use serde::Serialize;

/// How the worker process is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerState {
    /// What it does now.
    #[serde(flatten)]
    pub status: WorkerStatus,
    /// How often it was started again, since it was lost.
    pub restarts: u32,
}

/// What a worker process does now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum WorkerStatus {
    /// There is none: nobody needs the model.
    Unloaded,
    /// There is none yet: the model's files are being fetched.
    Fetching,
    /// There is none yet: other models take the memory.
    Waiting,
    /// It loads the model.
    Loading,
    /// It answers requests.
    Running {
        /// Its process id.
        pid: u32,
        /// Bytes of memory that it took once the model was loaded.
        bytes: u64,
    },
    /// There is none, since the model could not be loaded. The next request tries again.
    Failed {
        /// Why not.
        reason: String,
    },
    /// It ended, and a new one is on its way.
    Restarting {
        /// How the last one ended.
        reason: String,
        /// How long the next one is held back, since others were lost in the last minute.
        wait_seconds: u64,
    },
    /// The engine was shut down.
    Stopped,
}

impl WorkerStatus {
    /// Whether the model is in memory and answers.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether all is as it should be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        match self {
            Self::Unloaded
            | Self::Fetching
            | Self::Waiting
            | Self::Loading
            | Self::Running { .. } => true,
            Self::Failed { .. } | Self::Restarting { .. } | Self::Stopped => false,
        }
    }
}
