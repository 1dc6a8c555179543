//! The strings of a request that a model reads.

use crate::Role;

/// One string of a request's body that a model reads, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// RFC 6901 pointer to it.
    pub pointer: String,
    /// Who says it.
    pub role: Role,
    /// What it says.
    pub content: String,
}
