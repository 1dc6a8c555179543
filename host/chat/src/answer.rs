//! What a model says, as it comes and as a whole.

use serde::{Deserialize, Serialize};

/// One step of an answer in the making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The next text, never split inside a character and never empty.
    Text(String),
    /// The answer is whole; nothing follows.
    End {
        /// Why the model stopped.
        finish: FinishReason,
        /// What the answer took.
        usage: Usage,
    },
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It said all it had to say, or reached a stop string.
    Stop,
    /// It reached the request's token limit, or the end of the context.
    Length,
}

/// Tokens read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, the chat template's own included.
    pub prompt_tokens: u32,
    /// Tokens generated, the one that ended the text included.
    pub completion_tokens: u32,
}

/// A whole, successful answer: the only kind that is ever stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The model that gave it.
    pub model: String,
    /// The text, in the pieces in which it came.
    pub pieces: Vec<String>,
    /// Why the model stopped.
    pub finish: FinishReason,
    /// What the answer took.
    pub usage: Usage,
}

impl Answer {
    /// The answer that these events make, if they are those of a whole one.
    #[must_use]
    pub fn from_events(model: &str, events: Vec<Event>) -> Option<Self> {
        let mut pieces = Vec::with_capacity(events.len());
        for event in events {
            match event {
                Event::Text(text) => pieces.push(text),
                Event::End { finish, usage } => {
                    return Some(Self {
                        model: model.to_owned(),
                        pieces,
                        finish,
                        usage,
                    });
                }
            }
        }
        None
    }

    /// The events that make this answer.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        let end = Event::End {
            finish: self.finish,
            usage: self.usage,
        };
        self.pieces.iter().cloned().map(Event::Text).chain([end])
    }

    /// The text in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        self.pieces.concat()
    }

    /// Bytes of memory that the answer occupies, its own bookkeeping included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(String::capacity).sum();
        size_of::<Self>()
            + self.model.capacity()
            + self.pieces.capacity() * size_of::<String>()
            + pieces
    }
}
