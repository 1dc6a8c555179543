//! The small parts that models are made of.

use mlx_rs::{
    Array,
    error::Result,
    fast,
    ops::{indexing::take_axis, matmul},
};

use super::weights::Weights;
use crate::EngineError;

/// A matrix without bias. The only place that knows how its weights are stored.
#[derive(Debug)]
pub(crate) struct Linear {
    /// Shape [inputs, outputs].
    matrix: Array,
}

impl Linear {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        inputs: i32,
        outputs: i32,
    ) -> std::result::Result<Self, EngineError> {
        let matrix = weights.take_matrix(&format!("{name}.weight"), inputs, outputs)?;
        Ok(Self { matrix })
    }

    pub(crate) fn apply(&self, x: &Array) -> Result<Array> {
        matmul(x, &self.matrix)
    }
}

/// A vector for each token.
#[derive(Debug)]
pub(crate) struct Embedding {
    /// Shape [hidden size, vocabulary]: as an output matrix, which it often is, too.
    matrix: Array,
}

impl Embedding {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        vocabulary: i32,
        size: i32,
    ) -> std::result::Result<Self, EngineError> {
        let matrix = weights.take_matrix(&format!("{name}.weight"), size, vocabulary)?;
        Ok(Self { matrix })
    }

    /// The vectors [1, length, hidden size] of tokens [1, length].
    pub(crate) fn apply(&self, tokens: &Array) -> Result<Array> {
        take_axis(&self.matrix, tokens, 1)?.transpose_axes(&[1, 2, 0])
    }

    /// The output matrix that shares this embedding's weights.
    pub(crate) fn as_linear(&self) -> Linear {
        Linear {
            matrix: self.matrix.clone(),
        }
    }
}

/// Root mean square normalisation. Paper: <https://arxiv.org/abs/1910.07467>.
#[derive(Debug)]
pub(crate) struct RmsNorm {
    weight: Array,
    epsilon: f32,
}

impl RmsNorm {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        size: i32,
        epsilon: f32,
    ) -> std::result::Result<Self, EngineError> {
        Ok(Self {
            weight: weights.take_vector(&format!("{name}.weight"), size)?,
            epsilon,
        })
    }

    pub(crate) fn apply(&self, x: &Array) -> Result<Array> {
        fast::rms_norm(x, Some(&self.weight), self.epsilon)
    }
}
