//! What the device at hand computes best.

use mlx_rs::{Array, Device, DeviceType, Dtype, error::Result};

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

    /// Converts weights to what is computed fastest.
    ///
    /// MLX's 16-bit arithmetic on the CPU is many times slower than its 32-bit arithmetic.
    pub(crate) fn convert(self, weights: &Array) -> Result<Array> {
        match self {
            Self::Cpu => weights.as_dtype(Dtype::Float32),
            Self::Gpu => Ok(weights.clone()),
        }
    }

    /// Whether quantised weights are kept packed.
    ///
    /// A GPU is as fast as it can read them. On the CPU MLX unpacks them for each product anew, and
    /// takes twice the time of 32-bit weights.
    pub(crate) fn computes_packed(self) -> bool {
        self == Self::Gpu
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
