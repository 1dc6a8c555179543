//! The small parts that models are made of.

use mlx_rs::{Array, error::Result, fast};

use super::{matrix::Matrix, weights::Weights};
use crate::EngineError;

/// A matrix, and a bias where the model's files have one.
#[derive(Debug)]
pub(crate) struct Linear {
    matrix: Matrix,
    bias: Option<Array>,
}

impl Linear {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        inputs: i32,
        outputs: i32,
    ) -> std::result::Result<Self, EngineError> {
        Ok(Self {
            matrix: weights.take_matrix(name, &[outputs, inputs])?,
            bias: weights.take_vector_if_there(&format!("{name}.bias"), outputs)?,
        })
    }

    pub(crate) fn apply(&self, x: &Array) -> Result<Array> {
        let product = self.matrix.apply(x)?;
        match &self.bias {
            Some(bias) => product.add(bias),
            None => Ok(product),
        }
    }
}

/// A vector for each token. As a matrix it has an output for each token: it often is the output
/// matrix, too.
#[derive(Debug)]
pub(crate) struct Embedding(Matrix);

impl Embedding {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        vocabulary: i32,
        size: i32,
    ) -> std::result::Result<Self, EngineError> {
        weights.take_matrix(name, &[vocabulary, size]).map(Self)
    }

    /// The vectors [1, length, hidden size] of tokens [1, length].
    pub(crate) fn apply(&self, tokens: &Array) -> Result<Array> {
        self.0.outputs(tokens)
    }

    /// The output matrix that shares this embedding's weights.
    pub(crate) fn as_linear(&self) -> Linear {
        Linear {
            matrix: self.0.clone(),
            bias: None,
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

    /// As [`RmsNorm::load`], where the model's files may have none.
    pub(crate) fn load_if_there(
        weights: &mut Weights,
        name: &str,
        size: i32,
        epsilon: f32,
    ) -> std::result::Result<Option<Self>, EngineError> {
        let weight = weights.take_vector_if_there(&format!("{name}.weight"), size)?;
        Ok(weight.map(|weight| Self { weight, epsilon }))
    }

    pub(crate) fn apply(&self, x: &Array) -> Result<Array> {
        fast::rms_norm(x, Some(&self.weight), self.epsilon)
    }
}
