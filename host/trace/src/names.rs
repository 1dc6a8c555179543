//! How the types of other crates are written in a record: by their names.

#![allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives references"
)]

use std::fmt::Display;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// An endpoint.
pub(crate) mod endpoint {
    use deja_wire::Endpoint;

    use super::{Deserializer, Serializer, find, read};

    pub(crate) fn serialize<S: Serializer>(
        endpoint: &Endpoint,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(endpoint.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Endpoint, D::Error> {
        read(deserializer, |name| {
            find(&Endpoint::ALL, Endpoint::name, name)
        })
    }
}

/// An outcome, if there is one.
pub(crate) mod optional_outcome {
    use deja_cache::OutcomeKind;

    use super::{Deserializer, Serializer, find, read, write};

    const ALL: [OutcomeKind; 5] = [
        OutcomeKind::Hit,
        OutcomeKind::Miss,
        OutcomeKind::Coalesced,
        OutcomeKind::Bypass,
        OutcomeKind::Error,
    ];

    pub(crate) fn serialize<S: Serializer>(
        outcome: &Option<OutcomeKind>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        write(outcome.map(OutcomeKind::name), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<OutcomeKind>, D::Error> {
        read(deserializer, |name| find(&ALL, OutcomeKind::name, name)).map(Some)
    }
}

/// A key, if there is one.
pub(crate) mod optional_key {
    use deja_cache::Key;

    use super::{Deserializer, Serializer, read, write};

    pub(crate) fn serialize<S: Serializer>(
        key: &Option<Key>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        write(key.as_ref(), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Key>, D::Error> {
        read(deserializer, |text| text.parse().ok()).map(Some)
    }
}

fn find<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, wanted: &str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == wanted)
}

fn write<S: Serializer>(text: Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => serializer.collect_str(&text),
        None => serializer.serialize_none(),
    }
}

fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("unknown name `{text}`")))
}
