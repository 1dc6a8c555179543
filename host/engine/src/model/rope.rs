//! Rotary position embedding.

use std::f32::consts::TAU;

use mlx_rs::{Array, error::Result, fast};

use super::config::{RopeConfig, RopeScaling, Yarn};

/// Turns queries and keys by angles that tell their positions.
#[derive(Debug)]
pub(crate) struct Rope {
    head_size: i32,
    scale: f32,
    angles: Angles,
    magnitude: f32,
}

#[derive(Debug)]
enum Angles {
    /// The wavelengths follow from the base.
    Base(f32),
    /// Wavelengths, divided by 2π: shape [`head_size` / 2].
    Wavelengths(Array),
}

impl Rope {
    pub(crate) fn new(config: &RopeConfig, head_size: i32) -> Self {
        let base = config.base;
        let (scale, angles) = match &config.scaling {
            RopeScaling::None => (1.0, Angles::Base(base)),
            RopeScaling::Linear(factor) => (factor.recip(), Angles::Base(base)),
            scaling => (
                1.0,
                Angles::Wavelengths(wavelengths(base, head_size, scaling)),
            ),
        };
        let magnitude = match &config.scaling {
            RopeScaling::Yarn(yarn) => yarn.magnitude,
            _ => 1.0,
        };
        Self {
            head_size,
            scale,
            angles,
            magnitude,
        }
    }

    /// What queries and keys are meant to be multiplied by, each. It is left to the caller, who
    /// multiplies them with each other.
    pub(crate) fn magnitude(&self) -> f32 {
        self.magnitude
    }

    /// Turns `x` [1, heads, length, head size], whose first position is `offset`.
    pub(crate) fn apply(&self, x: &Array, offset: i32) -> Result<Array> {
        let (base, wavelengths) = match &self.angles {
            Angles::Base(base) => (Some(*base), None),
            Angles::Wavelengths(wavelengths) => (None, Some(wavelengths)),
        };
        fast::rope(
            x,
            self.head_size,
            false,
            base,
            self.scale,
            offset,
            wavelengths,
        )
    }
}

fn wavelengths(base: f32, head_size: i32, scaling: &RopeScaling) -> Array {
    let pairs = head_size / 2;
    let stretched = (0..pairs).zip(0..).map(|(pair, index)| {
        #[expect(clippy::cast_precision_loss, reason = "head sizes are small")]
        let exponent = pair as f32 / pairs as f32;
        let wavelength = base.powf(exponent);
        match scaling {
            RopeScaling::Yarn(scaling) => yarn(wavelength, pair, base, head_size, scaling),
            RopeScaling::Factors(factors) => {
                wavelength * factors.get::<usize>(index).copied().unwrap_or(1.0)
            }
            RopeScaling::Llama3 {
                factor,
                low_frequency,
                high_frequency,
                original_context,
            } => llama3(
                wavelength,
                *factor,
                *low_frequency,
                *high_frequency,
                *original_context,
            ),
            RopeScaling::None | RopeScaling::Linear(_) => wavelength,
        }
    });
    Array::from_iter(stretched.collect::<Vec<f32>>(), &[pairs])
}

/// Stretches long wavelengths by `factor`, leaves short ones, and blends in between, as
/// `Llama3RoPE` of `mlx_lm` does.
fn llama3(wavelength: f32, factor: f32, low: f32, high: f32, context: f32) -> f32 {
    let turns = context / (TAU * wavelength);
    if turns < low {
        wavelength * factor
    } else if turns > high {
        wavelength
    } else {
        let smooth = (turns - low) / (high - low);
        wavelength / ((1.0 - smooth) / factor + smooth)
    }
}

/// Stretches the wavelengths of late pairs, leaves those of early ones, and blends in between.
#[expect(clippy::cast_precision_loss, reason = "head sizes are small")]
fn yarn(wavelength: f32, pair: i32, base: f32, head_size: i32, yarn: &Yarn) -> f32 {
    // The pair that turns so often within the first context.
    let pair_of = |turns: f32| {
        head_size as f32 * (yarn.original_context / (TAU * turns)).ln() / (2.0 * base.ln())
    };
    let first = pair_of(yarn.beta_fast).floor().max(0.0);
    let last = pair_of(yarn.beta_slow).ceil().min((head_size - 1) as f32);
    let width = if last > first { last - first } else { 0.001 };
    let stretched = ((pair as f32 - first) / width).clamp(0.0, 1.0);
    wavelength / (stretched / yarn.factor + 1.0 - stretched)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Llama3RoPE(16, base=500000.0, scaling_config=…)._freqs` of `mlx_lm.models.rope_utils`.
    const REFERENCE: [f32; 8] = [
        1.0,
        5.156_692_5,
        26.591_48,
        137.124_08,
        1_905.320_4,
        29_170.658,
        150_424.13,
        775_691.0,
    ];

    #[test]
    fn llama3_agrees_with_mlx_lm() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency: 1.0,
            high_frequency: 4.0,
            original_context: 8192.0,
        };
        let ours = wavelengths(500_000.0, 16, &scaling);
        for (ours, theirs) in ours.as_slice::<f32>().iter().zip(REFERENCE) {
            assert!((ours / theirs - 1.0).abs() < 1e-5, "{ours} is not {theirs}");
        }
    }
}
