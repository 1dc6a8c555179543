//! Key-only traces as comma-separated values, with columns that the caller names.

use std::str::FromStr;

use super::{SkipReason, Skipped, lines::Lines};
use crate::{Access, read::accesses::key};

/// Which column holds what. A column is named as in the file's first line, or by its number from 1;
/// where all are numbers the first line is an access like the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The key.
    pub key: String,
    /// The time, in seconds.
    pub time: Option<String>,
    /// The size in bytes.
    pub bytes: Option<String>,
    /// The milliseconds that a hit saves.
    pub cost_ms: Option<String>,
}

/// A text that names no columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the columns like `key=id,time=ts,bytes=size,cost_ms=ms`; only `key` must be there")]
pub struct BadColumns;

impl FromStr for Columns {
    type Err = BadColumns;

    fn from_str(text: &str) -> Result<Self, BadColumns> {
        let (mut key, mut time, mut bytes, mut cost_ms) = (None, None, None, None);
        for field in text.split(',') {
            let (name, column) = field.split_once('=').ok_or(BadColumns)?;
            let column = Some(column.trim().to_owned()).filter(|column| !column.is_empty());
            match name.trim() {
                "key" => key = column,
                "time" => time = column,
                "bytes" => bytes = column,
                "cost_ms" => cost_ms = column,
                _ => return Err(BadColumns),
            }
        }
        Ok(Self {
            key: key.ok_or(BadColumns)?,
            time,
            bytes,
            cost_ms,
        })
    }
}

impl Columns {
    fn all(&self) -> [Option<&str>; 4] {
        let others = [&self.time, &self.bytes, &self.cost_ms].map(|column| column.as_deref());
        [Some(&*self.key), others[0], others[1], others[2]]
    }

    /// Their places, if they are numbers.
    fn by_number(&self) -> Option<Places> {
        let number = |column: &str| column.parse::<usize>().ok()?.checked_sub(1);
        self.places(|column| number(column).ok_or(())).ok()
    }

    /// Their places under this head.
    fn by_name(&self, head: &[u8]) -> Result<Places, SkipReason> {
        let names = fields(head);
        self.places(|column| {
            let place = names
                .iter()
                .position(|name| name.trim_ascii() == column.as_bytes());
            place.ok_or_else(|| SkipReason::BadField(format!("column `{column}`")))
        })
    }

    fn places<E>(&self, place: impl Fn(&str) -> Result<usize, E>) -> Result<Places, E> {
        let [key, time, bytes, cost_ms] = self.all().map(|column| column.map(&place).transpose());
        Ok(Places {
            key: key?.unwrap_or_default(),
            time: time?,
            bytes: bytes?,
            cost_ms: cost_ms?,
        })
    }
}

/// Which field of a line holds what, from 0.
#[derive(Clone, Copy)]
struct Places {
    key: usize,
    time: Option<usize>,
    bytes: Option<usize>,
    cost_ms: Option<usize>,
}

/// The accesses of a file. Fields in quotation marks do not span lines.
pub(super) fn accesses(
    mut lines: Lines,
    columns: &Columns,
) -> impl Iterator<Item = Result<Access, Skipped>> + Send + use<> {
    let columns = columns.clone();
    let mut places = columns.by_number();
    std::iter::from_fn(move || {
        let known = match places {
            Some(places) => places,
            None => match lines.next(|head| columns.by_name(head).map(Some))? {
                Ok(named) => *places.insert(named),
                Err(skipped) => {
                    lines.end();
                    return Some(Err(skipped));
                }
            },
        };
        lines.next(|line| match line {
            [] => Ok(None),
            line => access(&fields(line), known).map(Some),
        })
    })
}

fn access(fields: &[Vec<u8>], places: Places) -> Result<Access, SkipReason> {
    let field = |place: usize| {
        let missing = || SkipReason::BadField(format!("field {}", place + 1));
        fields
            .get(place)
            .map(|field| field.trim_ascii())
            .ok_or_else(missing)
    };
    let number = |place: Option<usize>, least: f64| {
        let Some(place) = place else { return Ok(None) };
        let number = str::from_utf8(field(place)?)
            .ok()
            .and_then(|text| text.parse().ok());
        let number = number.filter(|number: &f64| *number >= least && number.is_finite());
        number
            .map(Some)
            .ok_or_else(|| SkipReason::BadField(format!("field {}", place + 1)))
    };
    let (at, bytes) = (number(places.time, 0.0)?, number(places.bytes, 1.0)?);
    let cost = number(places.cost_ms, 0.0)?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "none is below zero, and a cast saturates"
    )]
    Ok(Access {
        at_ms: at.map_or(0, |seconds| (seconds * 1000.0) as u64),
        key: key(field(places.key)?),
        bytes: bytes.map_or(1, |bytes| bytes as u64),
        cost_ms: cost.map_or(1, |cost| cost as u32),
    })
}

/// The fields of a line, as RFC 4180 has them.
fn fields(line: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = csv_core::Reader::new();
    let (mut fields, mut output) = (Vec::new(), vec![0; line.len() + 1]);
    let mut rest = line;
    loop {
        let (result, read, written) = reader.read_field(rest, &mut output);
        match result {
            csv_core::ReadFieldResult::Field { record_end } => {
                fields.push(output[..written].to_vec());
                if record_end {
                    return fields;
                }
            }
            // The end of the input ends the last field, once it is told.
            csv_core::ReadFieldResult::InputEmpty if !rest.is_empty() => {
                let begun = output[..written].to_vec();
                let mut output = vec![0; 1];
                let (_, _, more) = reader.read_field(&[], &mut output);
                fields.push([&begun[..], &output[..more]].concat());
                return fields;
            }
            _ => return fields,
        }
        rest = &rest[read..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_in_one_text() {
        let columns: Columns = "key=id, bytes=2".parse().expect("it is right");
        assert_eq!((&*columns.key, columns.bytes.as_deref()), ("id", Some("2")));
        for wrong in ["", "key", "key=", "bytes=1", "key=1,size=2"] {
            assert_eq!(wrong.parse::<Columns>(), Err(BadColumns), "{wrong}");
        }
    }

    #[test]
    fn fields_may_stand_in_quotation_marks() {
        for (line, expected) in [
            ("a,\"b,\"\"c\",", &["a", "b,\"c", ""][..]),
            ("a", &["a"]),
            (",", &["", ""]),
            ("\"open", &["open"]),
        ] {
            let fields = fields(line.as_bytes());
            let expected: Vec<_> = expected.iter().map(|field| field.as_bytes()).collect();
            assert_eq!(fields, expected, "{line}");
        }
    }
}
