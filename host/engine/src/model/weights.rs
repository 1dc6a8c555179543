//! The named tensors of a model, as they are taken into its layers.

use std::{collections::HashMap, path::PathBuf};

use mlx_rs::{Array, error::Result, ops::stack, transforms::eval};

use super::{
    DeviceKind,
    matrix::{Matrix, Packed},
};
use crate::EngineError;

/// Tensors by their Hugging Face names.
pub(crate) struct Weights {
    tensors: HashMap<String, Array>,
    /// The file or folder that holds them.
    path: PathBuf,
    device: DeviceKind,
}

impl Weights {
    pub(crate) fn new(tensors: HashMap<String, Array>, path: PathBuf, device: DeviceKind) -> Self {
        Self {
            tensors,
            path,
            device,
        }
    }

    pub(crate) fn device(&self) -> DeviceKind {
        self.device
    }

    /// Takes a vector of this size.
    pub(crate) fn take_vector(
        &mut self,
        name: &str,
        size: i32,
    ) -> std::result::Result<Array, EngineError> {
        let vector = self.take(name)?;
        self.check_shape(name, &vector, &[size])?;
        self.compute(|| self.device.convert(&vector), |vector| vec![vector])
    }

    /// Takes a vector of this size, if there is one.
    pub(crate) fn take_vector_if_there(
        &mut self,
        name: &str,
        size: i32,
    ) -> std::result::Result<Option<Array>, EngineError> {
        let is_there = self.tensors.contains_key(name);
        is_there.then(|| self.take_vector(name, size)).transpose()
    }

    /// Takes a matrix, or a stack of them, of this shape: [.., outputs, inputs].
    pub(crate) fn take_matrix(
        &mut self,
        name: &str,
        shape: &[i32],
    ) -> std::result::Result<Matrix, EngineError> {
        let weight_name = format!("{name}.weight");
        let weight = self.take(&weight_name)?;
        let scales = self.tensors.remove(&format!("{name}.scales"));
        let biases = self.tensors.remove(&format!("{name}.biases"));
        match (scales, biases) {
            (Some(scales), Some(biases)) => {
                let packed = Packed::new(weight, scales, biases, shape)
                    .map_err(|reason| self.broken(format!("`{name}`: {reason}")))?;
                self.compute(|| Matrix::packed(packed, self.device), Matrix::arrays)
            }
            (None, None) => {
                self.check_shape(&weight_name, &weight, shape)?;
                self.compute(|| Matrix::dense(&weight, self.device), Matrix::arrays)
            }
            _ => Err(self.broken(format!(
                "`{name}` has scales without biases, or none to its biases"
            ))),
        }
    }

    /// Takes a matrix of each expert, of the shape [experts, outputs, inputs]: as MLX stores them,
    /// in one tensor, or as Hugging Face does, in one for each.
    pub(crate) fn take_experts(
        &mut self,
        layer: &str,
        part: &str,
        shape: [i32; 3],
    ) -> std::result::Result<Matrix, EngineError> {
        let name = format!("{layer}.switch_mlp.{part}");
        for suffix in ["weight", "scales", "biases"] {
            let one = |expert| format!("{layer}.experts.{expert}.{part}.{suffix}");
            if !self.tensors.contains_key(&one(0)) {
                continue;
            }
            let each: Vec<Array> = (0..shape[0])
                .map(|expert| self.take(&one(expert)))
                .collect::<std::result::Result<_, _>>()?;
            let stacked = stack(&each, 0).map_err(|error| self.broken(error.what().to_owned()))?;
            self.tensors.insert(format!("{name}.{suffix}"), stacked);
        }
        self.take_matrix(&name, &shape)
    }

    /// Drops a matrix that some files have without need.
    pub(crate) fn discard(&mut self, name: &str) {
        for suffix in ["weight", "scales", "biases"] {
            self.tensors.remove(&format!("{name}.{suffix}"));
        }
    }

    /// Whether all tensors have been taken. One that is left would belong to an architecture that
    /// does more than is done here.
    pub(crate) fn finish(self) -> std::result::Result<(), EngineError> {
        // Old converters stored the wavelengths of rotary embedding, which follow from the settings.
        let mut left = self
            .tensors
            .keys()
            .filter(|name| !name.ends_with(".rotary_emb.inv_freq"));
        match left.next() {
            Some(name) => Err(EngineError::UnsupportedModel {
                reason: format!("nothing is known of its tensor `{name}`"),
                path: self.path,
            }),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> std::result::Result<Array, EngineError> {
        self.tensors
            .remove(name)
            .ok_or_else(|| self.broken(format!("the tensor `{name}` is missing")))
    }

    fn check_shape(
        &self,
        name: &str,
        tensor: &Array,
        shape: &[i32],
    ) -> std::result::Result<(), EngineError> {
        if tensor.shape() == shape {
            return Ok(());
        }
        let found = tensor.shape();
        Err(self.broken(format!("`{name}` has the shape {found:?}, not {shape:?}")))
    }

    /// Reads and converts a tensor, which MLX would put off until its first use. One by one, so
    /// that no more than one is in memory in both forms.
    fn compute<T>(
        &self,
        tensor: impl FnOnce() -> Result<T>,
        arrays: impl FnOnce(&T) -> Vec<&Array>,
    ) -> std::result::Result<T, EngineError> {
        tensor()
            .and_then(|tensor| eval(arrays(&tensor)).map(|()| tensor))
            .map_err(|error| self.broken(error.what().to_owned()))
    }

    fn broken(&self, reason: String) -> EngineError {
        EngineError::ModelBroken {
            path: self.path.clone(),
            reason,
        }
    }
}
