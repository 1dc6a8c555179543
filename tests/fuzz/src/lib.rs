//! What several fuzz targets share.

pub mod json;
pub mod pieces;
pub mod place;
pub mod sse;
