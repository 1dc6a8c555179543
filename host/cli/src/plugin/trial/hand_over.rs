//! Whether one instance goes on where another left off.

use std::fmt::{self, Display, Formatter};

/// What became of the state that one instance saved for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandOver {
    /// It was taken over, and what followed was the same as without.
    Alike,
    /// It was taken over, and what followed was something else.
    Different,
    /// It was not taken over.
    Refused,
}

impl HandOver {
    /// The state was taken over.
    pub(super) fn taken(alike: bool) -> Self {
        if alike { Self::Alike } else { Self::Different }
    }
}

impl Display for HandOver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alike => "a new instance takes the state over and goes on alike",
            Self::Different => "a new instance takes the state over and goes on otherwise",
            Self::Refused => "no: a new instance does not take the state over",
        })
    }
}
