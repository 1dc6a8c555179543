//! How a call into a plugin fails.

use std::time::Duration;

use wasmtime::Trap;

/// Why a call into a plugin gave no answer. The instance is not used again.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It took too long.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// It wanted too much.
    #[error(transparent)]
    Limit(LimitExceeded),
    /// Its code did what WebAssembly does not allow, as a panic does in the end.
    #[error("{0}")]
    Trap(Trap),
    /// Anything else that the runtime does not let pass.
    #[error("the runtime does not allow what it does")]
    Runtime(#[source] wasmtime::Error),
}

/// What an instance wanted more of than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// Memory.
    #[error("it wants more than {0} bytes of memory")]
    Memory(usize),
    /// Table elements.
    #[error("it wants more than {0} table elements")]
    Table(usize),
}

impl Fault {
    /// What the runtime's error means, in a call with this deadline.
    pub(crate) fn of(error: wasmtime::Error, deadline: Duration) -> Self {
        if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
            return Self::Limit(*limit);
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Deadline(deadline),
            Some(trap) => Self::Trap(*trap),
            None => Self::Runtime(error),
        }
    }
}
