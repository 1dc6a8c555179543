//! `OpenAI`'s embeddings.

mod encode;
mod request;

pub use encode::{Encoding, embeddings};
pub use request::{embedding_request, encoding};
