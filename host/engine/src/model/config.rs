//! The shape of a Llama model.

/// Far above any model's sizes.
const MAX_SIZE: i32 = 1 << 24;

/// What the weights do not tell of a model of the Llama architecture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) layers: usize,
    pub(crate) hidden_size: i32,
    pub(crate) intermediate_size: i32,
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
    /// Each wavelength is multiplied by its own factor; GGUF files hold Llama 3.1's like this.
    Factors(Vec<f32>),
}

impl Config {
    /// Whether the numbers fit together; a reason if they do not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sizes = [
            ("hidden size", self.hidden_size),
            ("intermediate size", self.intermediate_size),
            ("vocabulary", self.vocabulary_size),
            ("number of heads", self.heads),
            ("number of key and value heads", self.key_value_heads),
            ("head size", self.head_size),
        ];
        let fits = |size: i32| (1..=MAX_SIZE).contains(&size);
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| !fits(*size)) {
            return Err(format!("its {name} is {size}"));
        }
        if self.heads.checked_mul(self.head_size).is_none() {
            let (heads, size) = (self.heads, self.head_size);
            return Err(format!("it has {heads} heads of size {size}"));
        }
        if self.layers == 0 || self.context_length == 0 {
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
        Ok(())
    }
}
