//! What the device at hand computes best.

use mlx_rs::{Device, DeviceType, Dtype};

/// The kind of device that MLX computes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    Cpu,
    Gpu,
}

impl DeviceKind {
    pub(crate) fn current() -> Self {
        match Device::try_default().and_then(|device| device.get_type()) {
            Ok(DeviceType::Gpu) => Self::Gpu,
            _ => Self::Cpu,
        }
    }

    /// What weights are converted to; nothing where they are as fast as they are stored.
    ///
    /// MLX's 16-bit arithmetic on the CPU is many times slower than its 32-bit arithmetic.
    pub(crate) fn dtype(self) -> Option<Dtype> {
        match self {
            Self::Cpu => Some(Dtype::Float32),
            Self::Gpu => None,
        }
    }

    /// Whether matrices are stored as [inputs, outputs] rather than as files have them.
    ///
    /// For one row, as in decoding, `OpenBLAS` copies the whole matrix into blocks. From this order it
    /// does so with long reads: decoding takes 0.6 × the time.
    pub(crate) fn transposes_matrices(self) -> bool {
        self == Self::Cpu
    }

    /// Positions whose attention is computed at once.
    ///
    /// On the CPU MLX computes the scores of all keys and then masks the later ones, and spends
    /// most of that time in `exp`. Blocks of positions leave out nearly half of the scores.
    pub(crate) fn attention_block(self) -> i32 {
        match self {
            Self::Cpu => 128,
            Self::Gpu => i32::MAX,
        }
    }
}
