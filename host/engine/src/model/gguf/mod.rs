//! Llama models from GGUF files.

mod header;

use std::{
    collections::HashMap,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use mlx_rs::{Array, io::GgufFile, ops::dequantize};

pub(crate) use header::Value;
use header::{Header, HeaderError};

use super::{
    DeviceKind, Loaded,
    config::{Config, RopeConfig, RopeScaling},
    weights::Weights,
};
use crate::{EngineError, template::ChatTemplate, tokenizer};

/// Weights of one scale, in all the quantised types that MLX reads from GGUF.
const GROUP_SIZE: i32 = 32;

/// The metadata of a GGUF file, and errors that name the file.
pub(crate) struct Metadata {
    values: HashMap<String, Value>,
    path: PathBuf,
}

/// Loads a `.gguf` file.
pub(super) fn load(path: &Path) -> Result<Loaded, EngineError> {
    let metadata = Metadata::read(path)?;
    match metadata.text("general.architecture")? {
        "llama" => {}
        other => return Err(metadata.unsupported(format!("its architecture is {other}"))),
    }
    let mut tensors = read_tensors(path, &metadata)?;
    let factors = tensors.remove("rope_freqs.weight");
    let config = config(
        &metadata,
        factors.as_ref(),
        tensors.contains_key("lm_head.weight"),
    )?;
    config.check().map_err(|reason| metadata.broken(reason))?;
    unpermute(&mut tensors, &config).map_err(|error| metadata.broken(error.to_string()))?;
    let vocabulary = tokenizer::Vocabulary::read(&metadata)?;
    Ok(Loaded {
        weights: Weights::new(tensors, path.to_owned(), DeviceKind::current()),
        template: ChatTemplate::new(
            metadata.text("tokenizer.chat_template")?,
            &vocabulary.special_tokens(),
        )
        .map_err(|reason| metadata.unsupported(reason))?,
        end_tokens: vocabulary.end_tokens(),
        tokenizer: vocabulary.tokenizer(&metadata)?,
        config,
    })
}

impl Metadata {
    fn read(path: &Path) -> Result<Self, EngineError> {
        let open = || -> Result<Header, HeaderError> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Header::read(BufReader::new(file), length)
        };
        let path = path.to_owned();
        match open() {
            Ok(Header { metadata: values }) => Ok(Self { values, path }),
            Err(HeaderError::Unsupported(reason)) => {
                Err(EngineError::UnsupportedModel { path, reason })
            }
            Err(error) => Err(EngineError::ModelBroken {
                path,
                reason: error.to_string(),
            }),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, EngineError> {
        match self.require(key)? {
            Value::String(text) => Ok(text),
            other => Err(self.wrong(key, "a text", other)),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&str>, EngineError> {
        self.list(key, "a text", |value| match value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub(crate) fn integers(&self, key: &str) -> Result<Vec<i64>, EngineError> {
        self.list(key, "an integer", integer)
    }

    fn list<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, EngineError> {
        let Value::Array(values) = self.require(key)? else {
            return Err(self.broken(format!("`{key}` is not a list")));
        };
        values
            .iter()
            .map(|value| read(value).ok_or_else(|| self.wrong(key, kind, value)))
            .collect()
    }

    /// An integer of the kind wanted.
    pub(crate) fn integer<T: TryFrom<i64>>(&self, key: &str) -> Result<T, EngineError> {
        let value = self.require(key)?;
        integer(value)
            .and_then(|integer| integer.try_into().ok())
            .ok_or_else(|| self.wrong(key, "a fitting integer", value))
    }

    pub(crate) fn boolean_or(&self, key: &str, default: bool) -> Result<bool, EngineError> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(boolean)) => Ok(*boolean),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    fn integer_or<T: TryFrom<i64>>(&self, key: &str, default: T) -> Result<T, EngineError> {
        self.get(key).map_or(Ok(default), |_| self.integer(key))
    }

    #[expect(clippy::cast_possible_truncation, reason = "stored as 32 bits")]
    fn float(&self, key: &str) -> Result<f32, EngineError> {
        match self.require(key)? {
            Value::Float(float) => Ok(*float as f32),
            other => Err(self.wrong(key, "a number", other)),
        }
    }

    fn require(&self, key: &str) -> Result<&Value, EngineError> {
        self.get(key)
            .ok_or_else(|| self.broken(format!("`{key}` is missing in its metadata")))
    }

    fn wrong(&self, key: &str, kind: &str, found: &Value) -> EngineError {
        let found = match found {
            Value::Array(_) => "a list".to_owned(),
            other => format!("{other:?}"),
        };
        self.broken(format!("`{key}` is not {kind}, but {found}"))
    }

    pub(crate) fn broken(&self, reason: String) -> EngineError {
        EngineError::ModelBroken {
            path: self.path.clone(),
            reason,
        }
    }

    pub(crate) fn unsupported(&self, reason: String) -> EngineError {
        EngineError::UnsupportedModel {
            path: self.path.clone(),
            reason,
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Unsigned(value) => i64::try_from(*value).ok(),
        Value::Signed(value) => Some(*value),
        _ => None,
    }
}

fn config(
    metadata: &Metadata,
    rope_factors: Option<&Array>,
    untied: bool,
) -> Result<Config, EngineError> {
    let heads = metadata.integer("llama.attention.head_count")?;
    let hidden_size = metadata.integer("llama.embedding_length")?;
    let head_size = match heads {
        1.. => metadata.integer_or("llama.attention.key_length", hidden_size / heads)?,
        _ => 0,
    };
    match metadata.integer_or("llama.rope.dimension_count", head_size)? {
        dimensions if dimensions == head_size => {}
        other => {
            return Err(metadata.unsupported(format!("it turns {other} of {head_size} dimensions")));
        }
    }
    Ok(Config {
        layers: metadata.integer("llama.block_count")?,
        hidden_size,
        intermediate_size: metadata.integer("llama.feed_forward_length")?,
        vocabulary_size: metadata
            .texts("tokenizer.ggml.tokens")?
            .len()
            .try_into()
            .unwrap_or(0),
        heads,
        key_value_heads: metadata.integer_or("llama.attention.head_count_kv", heads)?,
        head_size,
        norm_epsilon: metadata.float("llama.attention.layer_norm_rms_epsilon")?,
        rope: rope(metadata, rope_factors)?,
        tied_embeddings: !untied,
        context_length: metadata.integer("llama.context_length")?,
    })
}

fn rope(metadata: &Metadata, factors: Option<&Array>) -> Result<RopeConfig, EngineError> {
    let base = match metadata.get("llama.rope.freq_base") {
        Some(_) => metadata.float("llama.rope.freq_base")?,
        None => 10_000.0,
    };
    let scaling = match (metadata.get("llama.rope.scaling.type"), factors) {
        (Some(Value::String(kind)), _) if kind == "linear" => {
            RopeScaling::Linear(metadata.float("llama.rope.scaling.factor")?)
        }
        (Some(Value::String(kind)), _) if kind != "none" => {
            return Err(metadata.unsupported(format!("its RoPE scaling is {kind}")));
        }
        (_, Some(factors)) => RopeScaling::Factors(
            factors
                .to_vec_cast()
                .map_err(|error| metadata.broken(error.to_string()))?,
        ),
        (_, None) => RopeScaling::None,
    };
    Ok(RopeConfig { base, scaling })
}

/// All tensors, dequantised, by their Hugging Face names.
fn read_tensors(path: &Path, metadata: &Metadata) -> Result<HashMap<String, Array>, EngineError> {
    let broken = |error: &dyn std::fmt::Display| metadata.broken(error.to_string());
    let mut stored = GgufFile::load(path)
        .and_then(|file| file.arrays())
        .map_err(|error| broken(&error))?;
    let names: Vec<String> = stored
        .keys()
        .filter(|name| name.ends_with(".weight"))
        .cloned()
        .collect();
    let mut tensors = HashMap::new();
    for name in names {
        let base = name.trim_end_matches(".weight");
        let scales = stored.remove(&format!("{base}.scales"));
        let biases = stored.remove(&format!("{base}.biases"));
        let Some(weight) = stored.remove(&name) else {
            continue;
        };
        let tensor = match (scales, biases) {
            (Some(scales), Some(biases)) => dense(&weight, &scales, &biases),
            _ => Ok(weight),
        };
        tensors.insert(
            hugging_face_name(base),
            tensor.map_err(|error| broken(&error))?,
        );
    }
    Ok(tensors)
}

/// The weights that packed integers, their scales and their biases stand for. The scales are
/// widened first, so that nothing is rounded to their 16 bits.
fn dense(weight: &Array, scales: &Array, biases: &Array) -> mlx_rs::error::Result<Array> {
    let inputs = scales.dim(-1) * GROUP_SIZE;
    let bits = weight.dim(-1) * 32 / inputs;
    let dtype = DeviceKind::current().dtype().unwrap_or(scales.dtype());
    let (scales, biases) = (scales.as_dtype(dtype)?, biases.as_dtype(dtype)?);
    dequantize(weight, scales, &biases, GROUP_SIZE, bits)
}

/// `blk.3.attn_q` is `model.layers.3.self_attn.q_proj.weight` elsewhere.
fn hugging_face_name(base: &str) -> String {
    let part = |part: &str| {
        match part {
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            "attn_norm" => "input_layernorm",
            "ffn_norm" => "post_attention_layernorm",
            _ => "",
        }
        .to_owned()
    };
    let name = match base
        .strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((layer, rest)) => format!("model.layers.{layer}.{}", part(rest)),
        None => match base {
            "token_embd" => "model.embed_tokens".to_owned(),
            "output_norm" => "model.norm".to_owned(),
            "output" => "lm_head".to_owned(),
            other => other.to_owned(),
        },
    };
    format!("{name}.weight")
}

/// Puts the rows of queries and keys in the order that rotary embedding of half vectors needs.
///
/// `llama.cpp` stores them for that of neighbours: its converter turned each head's rows from
/// [2, half] into [half, 2].
fn unpermute(tensors: &mut HashMap<String, Array>, config: &Config) -> mlx_rs::error::Result<()> {
    for (name, tensor) in tensors {
        let heads = match name.rsplit_once("self_attn.") {
            Some((_, "q_proj.weight")) => config.heads,
            Some((_, "k_proj.weight")) => config.key_value_heads,
            _ => continue,
        };
        let shape = tensor.shape().to_vec();
        *tensor = tensor
            .reshape(&[heads, config.head_size / 2, 2, config.hidden_size])?
            .swap_axes(1, 2)?
            .reshape(&shape)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_hugging_face() {
        let names = [
            ("token_embd", "model.embed_tokens.weight"),
            ("blk.12.ffn_down", "model.layers.12.mlp.down_proj.weight"),
            ("output_norm", "model.norm.weight"),
        ];
        for (gguf, hugging_face) in names {
            assert_eq!(hugging_face_name(gguf), hugging_face);
        }
    }
}
