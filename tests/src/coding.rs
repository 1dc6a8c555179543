//! The ways in which HTTP compresses bodies.

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP calls deflate.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// Holds each of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// Returns its name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses a body.
    pub async fn compress(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Gzip => read(GzipEncoder::new(body)).await,
            Self::Deflate => read(ZlibEncoder::new(body)).await,
            Self::Brotli => read(BrotliEncoder::new(body)).await,
            Self::Zstd => read(ZstdEncoder::new(body)).await,
        }
    }
}

async fn read(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = reader.read_to_end(&mut bytes).await;
    read.expect("memory can be read");
    bytes
}
