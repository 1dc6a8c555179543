//! Unpacks the bodies of requests that come compressed (RFC 9110, section 8.4).

use std::pin::Pin;

use async_compression::{
    tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder},
    zstd::DParameter,
};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{HeaderMap, body::Incoming, header::CONTENT_ENCODING};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _};
use tokio_util::io::StreamReader;

use crate::error::Error;

/// The base-2 logarithm of the window that a zstd stream may ask for: 8 MiB, which RFC 8878 wants
/// every decoder to hold. Streams may ask for a thousand times as much.
const ZSTD_WINDOW: u32 = 23;

/// Bytes that are unpacked at once.
const STEP: usize = 16 << 10;

/// The bytes of a request's body, without its compression.
pub(crate) enum Unpacked {
    /// They came as they are.
    Plain(Limited<Incoming>),
    /// They are unpacked as they come.
    Decoded {
        decoder: Pin<Box<dyn AsyncRead + Send>>,
        /// Bytes that may still come.
        left: usize,
    },
}

impl Unpacked {
    /// Returns the bytes of a body, of which more than `limit`, packed or unpacked, are an error.
    ///
    /// # Errors
    /// The body is compressed in a way that is not known, or in several.
    pub(crate) fn new(headers: &HeaderMap, body: Incoming, limit: usize) -> Result<Self, Error> {
        let coding = headers.get(CONTENT_ENCODING);
        let coding = coding.map_or(&b"identity"[..], |coding| coding.as_bytes());
        let limited = Limited::new(body, limit);
        let decoder: fn(Packed) -> Pin<Box<dyn AsyncRead + Send>> =
            match coding.to_ascii_lowercase().as_slice() {
                b"identity" | b"" => return Ok(Self::Plain(limited)),
                b"zstd" => |body| {
                    let window = DParameter::window_log_max(ZSTD_WINDOW);
                    Box::pin(ZstdDecoder::with_params(body, &[window]))
                },
                b"gzip" | b"x-gzip" => |body| Box::pin(GzipDecoder::new(body)),
                b"br" => |body| Box::pin(BrotliDecoder::new(body)),
                b"deflate" => |body| Box::pin(ZlibDecoder::new(body)),
                _ => {
                    let coding = String::from_utf8_lossy(coding).into_owned();
                    return Err(Error::UnknownCoding(coding));
                }
            };
        let frames = limited.into_data_stream().map_err(std::io::Error::other);
        Ok(Self::Decoded {
            decoder: decoder(Box::pin(StreamReader::new(frames))),
            left: limit,
        })
    }

    /// Returns the next bytes; `None` after the last.
    ///
    /// # Errors
    /// More came than the limit (`limit`) allows, the client broke off, or what came cannot be
    /// unpacked.
    pub(crate) async fn next(&mut self, limit: usize) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Plain(body) => loop {
                let Some(frame) = body.frame().await else {
                    return Ok(None);
                };
                let frame = frame.map_err(|error| unreadable(&*error, limit))?;
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            },
            Self::Decoded { decoder, left } => {
                let mut bytes = BytesMut::with_capacity(STEP);
                let read = decoder.read_buf(&mut bytes).await;
                let read = read.map_err(|error| unpackable(&error, limit))?;
                *left = left
                    .checked_sub(read)
                    .ok_or(Error::BodyTooLarge { limit })?;
                Ok((read > 0).then(|| bytes.freeze()))
            }
        }
    }
}

/// A body as a decoder takes it.
type Packed = Pin<Box<dyn AsyncBufRead + Send>>;

fn unreadable(error: &(dyn std::error::Error + 'static), limit: usize) -> Error {
    if error.is::<LengthLimitError>() {
        Error::BodyTooLarge { limit }
    } else {
        Error::UnreadableBody(error.to_string())
    }
}

/// The error of a decoder is its own, or that of the body behind it.
fn unpackable(error: &std::io::Error, limit: usize) -> Error {
    match error.get_ref() {
        Some(inner) if inner.is::<LengthLimitError>() => Error::BodyTooLarge { limit },
        _ => Error::UnreadableBody(format!("it cannot be unpacked: {error}")),
    }
}
