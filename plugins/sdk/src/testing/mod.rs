//! Tests of policies without WebAssembly: requests made of JSON, bodies with a keyer's edits made,
//! and a small cache that does what an eviction policy says.

mod cache;
mod edits;
mod request;
mod texts;

pub use cache::Cache;
pub use edits::canonical;
pub use request::Request;
