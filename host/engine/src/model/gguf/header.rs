//! The header of a GGUF file: its metadata, and where its tensors lie.
//!
//! MLX reads the tensors itself, but trusts the file more than it should: `gguflib` asserts where
//! this reader returns an error. Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::{
    collections::HashMap,
    io::{self, Read},
};

const MAGIC: &[u8] = b"GGUF";
const MAX_DIMENSIONS: u32 = 4;
/// Far above any vocabulary; a value takes more memory than it takes in the file.
const MAX_LIST_LENGTH: u64 = 1 << 24;
const DEFAULT_ALIGNMENT: u64 = 32;

/// A sound header: every tensor that it tells of lies within the file.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) metadata: HashMap<String, Value>,
}

/// A value of the metadata. Integers are widened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    String(String),
    Array(Vec<Value>),
}

/// Why a file is no GGUF file that the engine can read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("it does not begin like a GGUF file")]
    NotGguf,
    #[error("it ends in the middle of its header")]
    CutInHeader,
    #[error("it ends before the data of the tensor `{name}`: it is {missing} bytes too short")]
    CutInTensor { name: String, missing: u64 },
    #[error("its header is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

type Result<T> = std::result::Result<T, HeaderError>;

impl Header {
    /// Reads a header from the beginning of a file of this length in bytes.
    pub(crate) fn read(reader: impl Read, file_length: u64) -> Result<Self> {
        let mut source = Source {
            reader,
            left: file_length,
        };
        if !matches!(source.bytes(4), Ok(magic) if magic == MAGIC) {
            return Err(HeaderError::NotGguf);
        }
        let version = source.u32()?;
        if !(2..=3).contains(&version) {
            return Err(HeaderError::Unsupported(format!("GGUF version {version}")));
        }
        let (tensors, entries) = (source.u64()?, source.u64()?);
        let metadata = (0..entries)
            .map(|_| source.entry())
            .collect::<Result<HashMap<_, _>>>()?;
        let tensors = (0..tensors)
            .map(|_| source.tensor())
            .collect::<Result<Vec<_>>>()?;
        let data_start = align(file_length - source.left, alignment(&metadata)?)?;
        for tensor in tensors {
            tensor.check(data_start, file_length)?;
        }
        Ok(Self { metadata })
    }
}

fn alignment(metadata: &HashMap<String, Value>) -> Result<u64> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::Unsigned(alignment)) if alignment.is_power_of_two() => Ok(*alignment),
        Some(other) => Err(HeaderError::Damaged(format!("an alignment of {other:?}"))),
    }
}

fn align(position: u64, alignment: u64) -> Result<u64> {
    position
        .checked_next_multiple_of(alignment)
        .ok_or_else(|| damaged("its length overflows"))
}

fn damaged(reason: &str) -> HeaderError {
    HeaderError::Damaged(reason.to_owned())
}

/// What the header tells of a tensor.
struct Tensor {
    name: String,
    /// From the beginning of the data.
    offset: u64,
    bytes: u64,
}

impl Tensor {
    fn check(self, data_start: u64, file_length: u64) -> Result<()> {
        let end = [self.offset, self.bytes]
            .into_iter()
            .try_fold(data_start, u64::checked_add)
            .ok_or_else(|| damaged("the place of a tensor overflows"))?;
        match end.checked_sub(file_length) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(HeaderError::CutInTensor {
                name: self.name,
                missing,
            }),
        }
    }
}

/// Bytes of a tensor of blocks of so many elements and bytes, if it can have this shape. Rows, whose
/// length comes first, consist of whole blocks; MLX counts in 32 bits.
fn tensor_bytes(shape: &[u64], elements: u64, bytes: u64) -> Option<u64> {
    let fits = |length: &u64| (1..=i32::MAX as u64).contains(length);
    if !shape.iter().all(fits) || shape.first().is_some_and(|row| row % elements != 0) {
        return None;
    }
    let total = shape
        .iter()
        .try_fold(1, |product: u64, length| product.checked_mul(*length))?;
    (total / elements).checked_mul(bytes)
}

/// Elements and bytes of a block of this type of tensor.
fn block(kind: u32, name: &str) -> Result<(u64, u64)> {
    match kind {
        0 => Ok((1, 4)),   // F32
        1 => Ok((1, 2)),   // F16
        2 => Ok((32, 18)), // Q4_0
        3 => Ok((32, 20)), // Q4_1
        8 => Ok((32, 34)), // Q8_0
        _ => Err(HeaderError::Unsupported(format!(
            "its tensor `{name}` is of GGML type {kind}; F32, F16, Q8_0, Q4_0 and Q4_1 are supported"
        ))),
    }
}

/// The bytes of a file that are still to be read. No length in it is trusted before it is compared
/// with what is left, so that a damaged one costs no memory.
struct Source<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Source<R> {
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        self.left = self
            .left
            .checked_sub(length)
            .ok_or(HeaderError::CutInHeader)?;
        let length = usize::try_from(length).map_err(|_| HeaderError::CutInHeader)?;
        let mut bytes = vec![0; length];
        self.reader
            .read_exact(&mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => HeaderError::CutInHeader,
                _ => error.into(),
            })?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.left = self
            .left
            .checked_sub(N as u64)
            .ok_or(HeaderError::CutInHeader)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn string(&mut self) -> Result<String> {
        let length = self.u64()?;
        String::from_utf8(self.bytes(length)?).map_err(|_| damaged("a text is not UTF-8"))
    }

    fn entry(&mut self) -> Result<(String, Value)> {
        let key = self.string()?;
        let value = match self.u32()? {
            9 => self.list()?,
            kind => self.scalar(kind)?,
        };
        Ok((key, value))
    }

    fn list(&mut self) -> Result<Value> {
        let (kind, length) = (self.u32()?, self.u64()?);
        if kind == 9 {
            return Err(HeaderError::Unsupported(
                "nested arrays in its metadata".to_owned(),
            ));
        }
        if length > MAX_LIST_LENGTH {
            return Err(HeaderError::Damaged(format!("a list of {length} values")));
        }
        (0..length)
            .map(|_| self.scalar(kind))
            .collect::<Result<_>>()
            .map(Value::Array)
    }

    fn scalar(&mut self, kind: u32) -> Result<Value> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(u8::from_le_bytes(self.array()?) != 0),
            8 => Value::String(self.string()?),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => {
                return Err(HeaderError::Damaged(format!(
                    "a value of unknown type {kind}"
                )));
            }
        })
    }

    fn tensor(&mut self) -> Result<Tensor> {
        let name = self.string()?;
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(HeaderError::Damaged(format!(
                "`{name}` has {dimensions} dimensions"
            )));
        }
        let shape = (0..dimensions)
            .map(|_| self.u64())
            .collect::<Result<Vec<_>>>()?;
        let kind = self.u32()?;
        let offset = self.u64()?;
        let (elements, bytes) = block(kind, &name)?;
        let bytes = tensor_bytes(&shape, elements, bytes)
            .ok_or_else(|| HeaderError::Damaged(format!("`{name}` has the shape {shape:?}")))?;
        Ok(Tensor {
            name,
            offset,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// A file with one text, one list, and one tensor of 64 `Q4_1` elements.
    fn file() -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        file.extend(
            [
                text("general.architecture"),
                8u32.to_le_bytes().to_vec(),
                text("llama"),
            ]
            .concat(),
        );
        file.extend(
            [
                text("list"),
                9u32.to_le_bytes().to_vec(),
                4u32.to_le_bytes().to_vec(),
            ]
            .concat(),
        );
        file.extend(2u64.to_le_bytes());
        file.extend([7u32.to_le_bytes(), 8u32.to_le_bytes()].concat());
        file.extend([text("weight"), 2u32.to_le_bytes().to_vec()].concat());
        file.extend([32u64.to_le_bytes(), 2u64.to_le_bytes()].concat());
        file.extend(3u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.resize(file.len().next_multiple_of(32) + 40, 0);
        file
    }

    fn read(file: &[u8]) -> Result<Header> {
        Header::read(file, file.len() as u64)
    }

    #[test]
    fn reads_what_it_holds() {
        let header = read(&file()).expect("is sound");
        let architecture = Value::String("llama".to_owned());
        assert_eq!(header.metadata["general.architecture"], architecture);
        let list = Value::Array(vec![Value::Unsigned(7), Value::Unsigned(8)]);
        assert_eq!(header.metadata["list"], list);
    }

    #[test]
    fn refuses_every_shorter_file() {
        let file = file();
        for length in 0..file.len() {
            let error = read(&file[..length]).expect_err("is cut short");
            match length {
                0..4 => assert!(matches!(error, HeaderError::NotGguf), "{length}: {error}"),
                _ => assert!(
                    matches!(
                        error,
                        HeaderError::CutInHeader | HeaderError::CutInTensor { .. }
                    ),
                    "{length}: {error}"
                ),
            }
        }
    }

    proptest! {
        #[test]
        fn survives_any_damage(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut file = file();
            for (index, byte) in changes {
                let index = index.index(file.len());
                file[index] = byte;
            }
            let _ = read(&file);
        }

        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = read(&[&b"GGUF\x03\0\0\0"[..], &bytes].concat());
        }
    }
}
