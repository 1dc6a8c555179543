//! What follows on attention: one network, or a mixture of experts.

use mlx_rs::{
    Array,
    error::Result,
    nn::silu,
    ops::{
        argpartition_axis, argsort,
        indexing::{TryIndexOp, take_along_axis, take_axis},
        softmax_axis,
    },
};

use super::{
    config::{ExpertsConfig, FeedForwardConfig},
    layers::Linear,
    matrix::Matrix,
    weights::Weights,
};
use crate::EngineError;

/// Rows from which on they are sorted by their experts, as in `mlx_lm`: a GPU then reads each
/// expert's weights once.
const MANY_ROWS: usize = 64;

/// What turns each position for itself.
#[derive(Debug)]
pub(crate) enum FeedForward {
    /// One network for all tokens.
    Dense(Dense),
    /// A few of many networks for each token.
    Experts(Experts),
}

impl FeedForward {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        config: &FeedForwardConfig,
        hidden: i32,
    ) -> std::result::Result<Self, EngineError> {
        match config {
            FeedForwardConfig::Dense(size) => {
                Dense::load(weights, name, hidden, *size).map(Self::Dense)
            }
            FeedForwardConfig::Experts(config) => {
                Experts::load(weights, name, config, hidden).map(Self::Experts)
            }
        }
    }

    /// `x` is [batch, length, hidden size], and so is the result.
    pub(crate) fn apply(&self, x: &Array) -> Result<Array> {
        match self {
            Self::Dense(dense) => dense.apply(x),
            Self::Experts(experts) => experts.apply(x),
        }
    }
}

/// `SwiGLU`. Paper: <https://arxiv.org/abs/2002.05202>.
#[derive(Debug)]
pub(crate) struct Dense {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Dense {
    fn load(
        weights: &mut Weights,
        name: &str,
        hidden: i32,
        size: i32,
    ) -> std::result::Result<Self, EngineError> {
        Ok(Self {
            gate: Linear::load(weights, &format!("{name}.gate_proj"), hidden, size)?,
            up: Linear::load(weights, &format!("{name}.up_proj"), hidden, size)?,
            down: Linear::load(weights, &format!("{name}.down_proj"), size, hidden)?,
        })
    }

    fn apply(&self, x: &Array) -> Result<Array> {
        self.down
            .apply(&silu(self.gate.apply(x)?)?.multiply(self.up.apply(x)?)?)
    }
}

/// A mixture of `SwiGLU` experts without biases. Paper: <https://arxiv.org/abs/1701.06538>.
#[derive(Debug)]
pub(crate) struct Experts {
    router: Linear,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
    config: ExpertsConfig,
}

/// Which experts see which rows of the input.
struct Rows {
    /// What the experts see: [.., 1, hidden size].
    inputs: Array,
    /// The expert of each: [..].
    experts: Array,
    /// Where each row, in the order of its tokens, lies among the sorted ones.
    places: Option<Array>,
}

impl Experts {
    fn load(
        weights: &mut Weights,
        name: &str,
        config: &ExpertsConfig,
        hidden: i32,
    ) -> std::result::Result<Self, EngineError> {
        let (count, size) = (config.count, config.size);
        let mut stack = |part: &str, inputs, outputs| {
            weights.take_experts(name, part, [count, outputs, inputs])
        };
        Ok(Self {
            gate: stack("gate_proj", hidden, size)?,
            up: stack("up_proj", hidden, size)?,
            down: stack("down_proj", size, hidden)?,
            router: Linear::load(weights, &format!("{name}.gate"), hidden, count)?,
            config: config.clone(),
        })
    }

    fn apply(&self, x: &Array) -> Result<Array> {
        let (experts, shares) = self.route(x)?;
        let rows = Rows::new(x, &experts)?;
        let (inputs, sorted) = (&rows.inputs, rows.places.is_some());
        let apply = |stack: &Matrix, x: &Array| stack.apply_each(x, &rows.experts, sorted);
        let inner = silu(apply(&self.gate, inputs)?)?.multiply(apply(&self.up, inputs)?)?;
        let outputs = rows.unsorted(&apply(&self.down, &inner)?)?;
        let each = outputs.reshape(&[experts.shape(), &[x.dim(-1)]].concat())?;
        each.multiply(shares.expand_dims(-1)?)?.sum_axis(-2, false)
    }

    /// The experts that each token goes to, and the share that each of them has in the result: both
    /// are [batch, length, chosen].
    fn route(&self, x: &Array) -> Result<(Array, Array)> {
        let scores = softmax_axis(self.router.apply(x)?, -1, true)?;
        let first = self.config.count - self.config.chosen;
        let ordered = argpartition_axis(&scores, first, -1)?;
        let experts = ordered.try_index((.., .., first..))?;
        let shares = take_along_axis(&scores, &experts, -1)?;
        let shares = if self.config.normalised {
            shares.divide(shares.sum_axis(-1, true)?)?
        } else {
            shares
        };
        Ok((experts, shares))
    }
}

impl Rows {
    /// Hands the positions of `x` [batch, length, hidden size] to `experts` [batch, length, chosen].
    fn new(x: &Array, experts: &Array) -> Result<Self> {
        if experts.size() < MANY_ROWS {
            return Ok(Self {
                inputs: x.expand_dims_axes(&[-2, -3])?,
                experts: experts.clone(),
                places: None,
            });
        }
        let flat = experts.reshape(&[-1])?;
        let order = argsort(&flat)?;
        let positions = order.floor_divide(Array::from_slice(
            &[experts.shape().last().copied().unwrap_or(1).unsigned_abs()],
            &[],
        ))?;
        Ok(Self {
            inputs: take_axis(x.reshape(&[-1, 1, x.dim(-1)])?, positions, 0)?,
            experts: take_axis(&flat, &order, 0)?,
            places: Some(argsort(&order)?),
        })
    }

    /// Outputs in the order of their tokens.
    fn unsorted(&self, outputs: &Array) -> Result<Array> {
        match &self.places {
            Some(places) => take_axis(outputs, places, 0),
            None => Ok(outputs.clone()),
        }
    }
}
