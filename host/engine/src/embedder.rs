//! The requests for embeddings in a worker: what is computed beside the answers.

use std::collections::VecDeque;

use deja_wire::{Embedding, EmbeddingInput, EmbeddingRequest};

use crate::{
    EngineError, LanguageModel,
    language_model::count,
    protocol::{FromWorker, RequestId},
};

/// Embeds one input after another, one in each step, so that answers go on between two.
pub(crate) struct Embedder<'a> {
    model: &'a LanguageModel,
    /// For the keys and values of an input.
    kv_bytes: usize,
    requests: VecDeque<Request>,
}

/// A request of which inputs are left.
struct Request {
    id: RequestId,
    inputs: VecDeque<EmbeddingInput>,
    dimensions: Option<u32>,
}

impl<'a> Embedder<'a> {
    pub(crate) fn new(model: &'a LanguageModel, kv_bytes: usize) -> Self {
        Self {
            model,
            kv_bytes,
            requests: VecDeque::new(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    /// Takes on a request.
    pub(crate) fn add(&mut self, id: RequestId, request: EmbeddingRequest) {
        self.requests.push_back(Request {
            id,
            inputs: request.inputs.into(),
            dimensions: request.dimensions,
        });
    }

    /// Forgets a request.
    pub(crate) fn cancel(&mut self, id: RequestId) {
        self.requests.retain(|request| request.id != id);
    }

    /// Embeds the next input. The requests take turns, so that a single text need not wait for the
    /// end of a long list.
    pub(crate) fn step(&mut self) -> Option<FromWorker> {
        let mut request = self.requests.pop_front()?;
        let id = request.id;
        let input = request.inputs.pop_front()?;
        match self.embed(&input, request.dimensions) {
            Ok(embedding) => {
                if !request.inputs.is_empty() {
                    self.requests.push_back(request);
                }
                Some(FromWorker::Embedding { id, embedding })
            }
            Err(error) => Some(FromWorker::Failed { id, error }),
        }
    }

    fn embed(
        &self,
        input: &EmbeddingInput,
        dimensions: Option<u32>,
    ) -> Result<Embedding, EngineError> {
        let tokens = self.model.tokens_of(input)?;
        let needed = self.model.kv_bytes(tokens.len());
        if needed > self.kv_bytes {
            let error = EngineError::OutOfMemory {
                tokens: tokens.len(),
                limit: self.kv_bytes,
            };
            return Err(EngineError::Input {
                reason: error.to_string(),
            });
        }
        let vector = self.model.embed(&tokens, self.model.pooling())?;
        Ok(Embedding {
            vector: shortened(vector, dimensions)?,
            tokens: count(&tokens),
        })
    }
}

/// The beginning of a vector, with the length one. Models that are trained for it
/// (<https://arxiv.org/abs/2205.13147>) say most in their first dimensions.
fn shortened(mut vector: Vec<f32>, dimensions: Option<u32>) -> Result<Vec<f32>, EngineError> {
    let Some(wanted) = dimensions else {
        return Ok(vector);
    };
    let (length, own) = (wanted as usize, vector.len());
    if length > own {
        return Err(EngineError::Dimensions { wanted, own });
    }
    vector.truncate(length);
    Ok(normalised(vector))
}

/// The vector of this direction with the length one. That of a zero vector stays zero.
pub(crate) fn normalised(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector
        .into_iter()
        .map(|value| value / length.max(f32::MIN_POSITIVE))
        .collect()
}
