//! The shape of a model.

/// Far above any model's sizes.
const MAX_SIZE: i32 = 1 << 24;
const MAX_LAYERS: usize = 1 << 12;

/// What the tensors do not tell of a model. They do tell of biases and of norms of queries and keys:
/// a layer has those that lie in its files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) layers: Vec<LayerConfig>,
    pub(crate) hidden_size: i32,
    pub(crate) vocabulary_size: i32,
    /// Query heads.
    pub(crate) heads: i32,
    /// Key and value heads; each serves `heads / key_value_heads` query heads.
    pub(crate) key_value_heads: i32,
    pub(crate) head_size: i32,
    /// Added to the mean square in RMS normalisation.
    pub(crate) norm_epsilon: f32,
    pub(crate) rope: RopeConfig,
    /// Whether the output matrix is the embedding's.
    pub(crate) tied_embeddings: bool,
    /// Tokens that the model was made for.
    pub(crate) context_length: u32,
}

/// What may differ from layer to layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerConfig {
    /// How many positions attention sees, the own one included; all if not set.
    pub(crate) window: Option<i32>,
    pub(crate) feed_forward: FeedForwardConfig,
}

/// What follows on attention.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FeedForwardConfig {
    /// One network for all tokens, with this inner size.
    Dense(i32),
    /// A mixture of experts.
    Experts(ExpertsConfig),
}

/// A mixture of experts, of which each token goes to a few.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpertsConfig {
    pub(crate) count: i32,
    /// Experts that a token goes to.
    pub(crate) chosen: i32,
    /// The inner size of each.
    pub(crate) size: i32,
    /// Whether the shares of the chosen ones are made to add up to one.
    pub(crate) normalised: bool,
}

/// Rotary position embedding. Paper: <https://arxiv.org/abs/2104.09864>.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RopeConfig {
    pub(crate) base: f32,
    pub(crate) scaling: RopeScaling,
}

/// How positions beyond those of the first training are told apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RopeScaling {
    None,
    /// All positions are divided by this.
    Linear(f32),
    /// Llama 3.1's: only long wavelengths are stretched.
    Llama3 {
        factor: f32,
        low_frequency: f32,
        high_frequency: f32,
        original_context: f32,
    },
    /// Paper: <https://arxiv.org/abs/2309.00071>.
    Yarn(Yarn),
    /// Each wavelength is multiplied by its own factor; GGUF files hold Llama 3.1's like this.
    Factors(Vec<f32>),
}

/// Wavelengths that turn often in the first context stay, those that turn seldom are stretched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Yarn {
    pub(crate) factor: f32,
    pub(crate) original_context: f32,
    /// Turns from which on a wavelength stays.
    pub(crate) beta_fast: f32,
    /// Turns up to which a wavelength is stretched whole.
    pub(crate) beta_slow: f32,
    /// What queries and keys are multiplied by.
    pub(crate) magnitude: f32,
}

impl Yarn {
    /// The paper's standard values.
    pub(crate) fn new(factor: f32, original_context: f32) -> Self {
        Self {
            factor,
            original_context,
            beta_fast: 32.0,
            beta_slow: 1.0,
            magnitude: Self::magnitude(factor, 1.0),
        }
    }

    /// The magnitude that belongs to a factor.
    pub(crate) fn magnitude(factor: f32, weight: f32) -> f32 {
        if factor > 1.0 {
            0.1 * weight * factor.ln() + 1.0
        } else {
            1.0
        }
    }
}

impl Config {
    /// Whether the numbers fit together; a reason if they do not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sizes = [
            ("hidden size", self.hidden_size),
            ("vocabulary", self.vocabulary_size),
            ("number of heads", self.heads),
            ("number of key and value heads", self.key_value_heads),
            ("head size", self.head_size),
        ];
        check_sizes(&sizes)?;
        if self.heads.checked_mul(self.head_size).is_none() {
            let (heads, size) = (self.heads, self.head_size);
            return Err(format!("it has {heads} heads of size {size}"));
        }
        if self.layers.is_empty() || self.context_length == 0 {
            return Err("it has no layers or no context".to_owned());
        }
        if self.heads % self.key_value_heads != 0 {
            let (heads, groups) = (self.heads, self.key_value_heads);
            return Err(format!(
                "its {heads} heads cannot share {groups} key and value heads"
            ));
        }
        if self.head_size % 2 != 0 {
            return Err(format!("its head size of {} is odd", self.head_size));
        }
        self.layers.iter().try_for_each(LayerConfig::check)
    }
}

impl LayerConfig {
    /// The layers of a model that says it has so many.
    pub(crate) fn list(
        count: usize,
        layer: impl FnMut(usize) -> Result<Self, String>,
    ) -> Result<Vec<Self>, String> {
        if count > MAX_LAYERS {
            return Err(format!("it has {count} layers"));
        }
        (0..count).map(layer).collect()
    }

    fn check(&self) -> Result<(), String> {
        check_sizes(&[("sliding window", self.window.unwrap_or(MAX_SIZE))])?;
        match &self.feed_forward {
            FeedForwardConfig::Dense(size) => check_sizes(&[("intermediate size", *size)]),
            FeedForwardConfig::Experts(experts) => experts.check(),
        }
    }
}

impl ExpertsConfig {
    fn check(&self) -> Result<(), String> {
        let (count, chosen) = (self.count, self.chosen);
        check_sizes(&[
            ("number of experts", count),
            ("number of experts for a token", chosen),
            ("size of an expert", self.size),
        ])?;
        if chosen > count {
            return Err(format!("its tokens go to {chosen} of {count} experts"));
        }
        Ok(())
    }
}

fn check_sizes(sizes: &[(&str, i32)]) -> Result<(), String> {
    match sizes
        .iter()
        .find(|(_, size)| !(1..=MAX_SIZE).contains(size))
    {
        Some((name, size)) => Err(format!("its {name} is {size}")),
        None => Ok(()),
    }
}
