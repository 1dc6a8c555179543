//! The tensors of a GGUF file.

use std::{collections::HashMap, path::Path};

use mlx_rs::{Array, error::Result, io::GgufFile};

use super::{super::config::Config, metadata::Metadata};
use crate::EngineError;

/// All tensors by their Hugging Face names. MLX gives the quantised ones the form, and the names, of
/// its own quantisation.
pub(super) fn read(
    path: &Path,
    metadata: &Metadata,
) -> std::result::Result<HashMap<String, Array>, EngineError> {
    let stored = GgufFile::load(path)
        .and_then(|file| file.arrays())
        .map_err(|error| metadata.broken(error.to_string()))?;
    Ok(stored
        .into_iter()
        .map(|(name, tensor)| (hugging_face_name(&name), tensor))
        .collect())
}

/// `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight` elsewhere.
fn hugging_face_name(name: &str) -> String {
    let (base, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let layer = base
        .strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'));
    let renamed = match layer {
        Some((layer, part)) => layer_part(part).map(|part| format!("model.layers.{layer}.{part}")),
        None => whole_part(base).map(str::to_owned),
    };
    match renamed {
        Some(renamed) => format!("{renamed}.{kind}"),
        None => name.to_owned(),
    }
}

fn layer_part(part: &str) -> Option<&'static str> {
    Some(match part {
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        "ffn_gate_inp" => "mlp.gate",
        "ffn_gate_exps" => "mlp.switch_mlp.gate_proj",
        "ffn_up_exps" => "mlp.switch_mlp.up_proj",
        "ffn_down_exps" => "mlp.switch_mlp.down_proj",
        "attn_norm" => "input_layernorm",
        "ffn_norm" => "post_attention_layernorm",
        _ => return None,
    })
}

fn whole_part(part: &str) -> Option<&'static str> {
    Some(match part {
        "token_embd" => "model.embed_tokens",
        "output_norm" => "model.norm",
        "output" => "lm_head",
        _ => return None,
    })
}

/// Puts the rows of queries and keys in the order that rotary embedding of half vectors needs.
///
/// `llama.cpp` stores those of Llama's architecture for that of neighbours: its converter turned each
/// head's rows from [2, half] into [half, 2]. The rows of packed weights, their scales and biases go
/// the same way.
pub(super) fn unpermute(tensors: &mut HashMap<String, Array>, config: &Config) -> Result<()> {
    for (name, tensor) in tensors {
        let heads = if name.contains(".self_attn.q_proj.") {
            config.heads
        } else if name.contains(".self_attn.k_proj.") {
            config.key_value_heads
        } else {
            continue;
        };
        let shape = tensor.shape().to_vec();
        *tensor = tensor
            .reshape(&[heads, config.head_size / 2, 2, -1])?
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
            ("token_embd.weight", "model.embed_tokens.weight"),
            (
                "blk.12.ffn_down.scales",
                "model.layers.12.mlp.down_proj.scales",
            ),
            ("blk.0.attn_q.bias", "model.layers.0.self_attn.q_proj.bias"),
            ("output_norm.weight", "model.norm.weight"),
            ("rope_freqs.weight", "rope_freqs.weight"),
        ];
        for (gguf, hugging_face) in names {
            assert_eq!(hugging_face_name(gguf), hugging_face);
        }
    }
}
