//! The named tensors of a model, as they are taken into its layers.

use std::{collections::HashMap, path::PathBuf};

use mlx_rs::{Array, error::Result};

use super::DeviceKind;
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
        let vector = self.take(name, &[size])?;
        self.compute(|| self.convert(&vector))
    }

    /// Takes a matrix, stored as [outputs, inputs], in the form [inputs, outputs].
    pub(crate) fn take_matrix(
        &mut self,
        name: &str,
        inputs: i32,
        outputs: i32,
    ) -> std::result::Result<Array, EngineError> {
        let stored = self.take(name, &[outputs, inputs])?;
        self.compute(|| {
            let transposed = self.convert(&stored)?.t();
            if self.device.transposes_matrices() {
                transposed.contiguous()
            } else {
                Ok(transposed)
            }
        })
    }

    fn take(&mut self, name: &str, shape: &[i32]) -> std::result::Result<Array, EngineError> {
        let tensor = self
            .tensors
            .remove(name)
            .ok_or_else(|| self.broken(format!("the tensor `{name}` is missing")))?;
        if tensor.shape() == shape {
            Ok(tensor)
        } else {
            let found = tensor.shape();
            Err(self.broken(format!("`{name}` has the shape {found:?}, not {shape:?}")))
        }
    }

    fn convert(&self, tensor: &Array) -> Result<Array> {
        match self.device.dtype() {
            Some(dtype) => tensor.as_dtype(dtype),
            None => Ok(tensor.clone()),
        }
    }

    /// Reads and converts a tensor, which MLX would put off until its first use. One by one, so
    /// that no more than one is in memory in both forms.
    fn compute(
        &self,
        tensor: impl FnOnce() -> Result<Array>,
    ) -> std::result::Result<Array, EngineError> {
        tensor()
            .and_then(|tensor| tensor.eval().map(|()| tensor))
            .map_err(|error| self.broken(error.what().to_owned()))
    }

    fn broken(&self, reason: String) -> EngineError {
        EngineError::ModelBroken {
            path: self.path.clone(),
            reason,
        }
    }
}
