//! Matrices: of floats, or of the packed integers of MLX's quantisation.

use mlx_rs::{
    Array, Dtype,
    error::Result,
    ops::{
        dequantize, gather_mm, gather_qmm, indexing::take_axis, matmul, quantized_matmul, swap_axes,
    },
};

use super::device::DeviceKind;

/// A matrix, or a stack of equal ones. The only place that knows how weights are kept.
#[derive(Clone, Debug)]
pub(crate) enum Matrix {
    /// Shape [.., inputs, outputs].
    Dense(Array),
    /// Kept as its file has it.
    Packed(Packed),
}

/// Integers of a few bits. Each group of inputs has its own scale and bias.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// Shape [.., outputs, inputs × bits / 32].
    weight: Array,
    /// Shape [.., outputs, inputs / `group_size`], like that of the biases.
    scales: Array,
    biases: Array,
    group_size: i32,
    bits: i32,
}

impl Matrix {
    /// Puts a stored matrix, of shape [.., outputs, inputs], in the form that the device computes best.
    pub(crate) fn dense(stored: &Array, device: DeviceKind) -> Result<Self> {
        let transposed = swap_axes(device.convert(stored)?, -1, -2)?;
        if device.transposes_matrices() {
            transposed.contiguous().map(Self::Dense)
        } else {
            Ok(Self::Dense(transposed))
        }
    }

    /// As [`Matrix::dense`], for packed weights.
    pub(crate) fn packed(stored: Packed, device: DeviceKind) -> Result<Self> {
        if device.computes_packed() {
            Ok(Self::Packed(stored))
        } else {
            Self::dense(&stored.unpack(device)?, device)
        }
    }

    /// The arrays that hold it.
    pub(crate) fn arrays(&self) -> Vec<&Array> {
        match self {
            Self::Dense(matrix) => vec![matrix],
            Self::Packed(packed) => vec![&packed.weight, &packed.scales, &packed.biases],
        }
    }

    /// From [.., inputs] to [.., outputs].
    pub(crate) fn apply(&self, x: &Array) -> Result<Array> {
        match self {
            Self::Dense(matrix) => matmul(x, matrix),
            Self::Packed(packed) => quantized_matmul(
                x,
                &packed.weight,
                &packed.scales,
                &packed.biases,
                true,
                packed.group_size,
                packed.bits,
            ),
        }
    }

    /// From [.., rows, inputs] to [.., rows, outputs], by the matrices of the stack that `indices`
    /// [..] names. `sorted` tells that indices only grow, which a GPU makes use of.
    pub(crate) fn apply_each(&self, x: &Array, indices: &Array, sorted: bool) -> Result<Array> {
        match self {
            Self::Dense(stack) => gather_mm(x, stack, None, indices, sorted),
            Self::Packed(packed) => gather_qmm(
                x,
                &packed.weight,
                &packed.scales,
                &packed.biases,
                None,
                indices,
                true,
                packed.group_size,
                packed.bits,
                sorted,
            ),
        }
    }

    /// The weights of the outputs that `indices` [a, b] names: [a, b, inputs].
    pub(crate) fn outputs(&self, indices: &Array) -> Result<Array> {
        match self {
            Self::Dense(matrix) => take_axis(matrix, indices, 1)?.transpose_axes(&[1, 2, 0]),
            Self::Packed(packed) => dequantize(
                take_axis(&packed.weight, indices, 0)?,
                take_axis(&packed.scales, indices, 0)?,
                &take_axis(&packed.biases, indices, 0)?,
                packed.group_size,
                packed.bits,
            ),
        }
    }
}

impl Packed {
    /// Group size and bits follow from the shapes, so that settings, which may differ from layer to
    /// layer, need not be asked. `shape` is the matrix's own: [.., outputs, inputs].
    pub(crate) fn new(
        weight: Array,
        scales: Array,
        biases: Array,
        shape: &[i32],
    ) -> std::result::Result<Self, String> {
        let Some((inputs, rows)) = shape.split_last() else {
            return Err("it has no dimensions".to_owned());
        };
        let groups = scales.shape().last().copied().unwrap_or(0);
        let words = weight.shape().last().copied().unwrap_or(0);
        let group_size = inputs.checked_div(groups).unwrap_or(0);
        let bits = words.saturating_mul(32) / inputs;
        let with_last = |last: i32| [rows, &[last]].concat();
        if weight.dtype() != Dtype::Uint32
            || !matches!(group_size, 32 | 64 | 128)
            || !matches!(bits, 2..=6 | 8)
            || scales.shape() != with_last(inputs / group_size)
            || biases.shape() != scales.shape()
            || weight.shape() != with_last(inputs * bits / 32)
        {
            let (weight, scales) = (weight.shape(), scales.shape());
            return Err(format!(
                "{weight:?} integers with {scales:?} scales do not make {shape:?} weights"
            ));
        }
        Ok(Self {
            weight,
            scales,
            biases,
            group_size,
            bits,
        })
    }

    /// The weights that it stands for. The scales are widened first, so that nothing is rounded to
    /// their 16 bits.
    fn unpack(&self, device: DeviceKind) -> Result<Array> {
        let (scales, biases) = (device.convert(&self.scales)?, device.convert(&self.biases)?);
        dequantize(&self.weight, scales, &biases, self.group_size, self.bits)
    }
}
