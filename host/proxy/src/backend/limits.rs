//! What one answer of a backend may take, of its own and of what all answers have together.

use std::sync::Arc;

use super::FetchError;
use crate::{
    body::Outline,
    budget::{Budget, Exhausted, Share},
    settings::ProxySettings,
};

/// What an answer costs beside its bytes, for each frame: its place among the steps that clients
/// follow, and in the answer that is recorded.
pub(super) const FRAME_BYTES: usize = 96;

/// What an answer may take. Clones share what was taken.
#[derive(Clone)]
pub(crate) struct AnswerLimits {
    /// The most bytes of the answer.
    pub(crate) bytes: usize,
    /// The most bytes of all answers that are being received.
    in_flight: usize,
    /// The most bytes of the values of one document.
    parsed: usize,
    /// The most bytes of all values that are parsed at once.
    parse: usize,
    taken: Arc<Share>,
    values: Budget,
}

impl AnswerLimits {
    pub(crate) fn new(settings: &ProxySettings, answers: &Budget, values: &Budget) -> Self {
        Self {
            bytes: settings.max_answer_bytes,
            in_flight: settings.max_in_flight_bytes,
            parsed: settings.max_parsed_body_bytes,
            parse: settings.max_parse_bytes,
            taken: Arc::new(answers.share(settings.max_in_flight_bytes)),
            values: values.clone(),
        }
    }

    /// What the answer takes of the memory for all answers, for those who hold it.
    pub(crate) fn taken(&self) -> Arc<Share> {
        self.taken.clone()
    }

    /// Takes memory for more of the answer.
    pub(super) fn take(&self, bytes: usize) -> Result<(), FetchError> {
        let grown = self.taken.grow(bytes);
        grown.map_err(|Exhausted| FetchError::NoMemory {
            limit: self.in_flight,
        })
    }

    /// Takes memory for the values of a document, if they are many.
    pub(crate) fn take_values(&self, document: &[u8]) -> Result<Option<Share>, FetchError> {
        let outline = Outline::of(document);
        if !outline.is_large() {
            return Ok(None);
        }
        if outline.parsed_bytes > self.parsed {
            return Err(FetchError::TooDense { limit: self.parsed });
        }
        let share = self.values.take(outline.parsed_bytes, self.parse);
        share
            .map(Some)
            .map_err(|Exhausted| FetchError::NoMemory { limit: self.parse })
    }
}
