//! Server-sent events, as the [WHATWG] defines them; lines that end with a lone carriage return,
//! which no API sends, are left out.
//!
//! [WHATWG]: https://html.spec.whatwg.org/multipage/server-sent-events.html

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// A frame that is longer than the reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of the stream is longer than {limit} bytes")]
pub struct FrameTooLong {
    /// The most bytes that a frame may have.
    pub limit: usize,
}

/// Splits a stream of bytes, wherever the network cut it, into frames: each up to and including
/// its blank line, so that they make the stream again when put together.
#[derive(Debug)]
pub struct FrameReader {
    /// The start of a frame, from parts that were all read.
    begun: BytesMut,
    /// The part being read. Frames that lie in it whole are slices of it.
    part: Bytes,
    /// What was read of the current line.
    line: Line,
    limit: usize,
}

/// What a line holds so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    CarriageReturn,
    Text,
}

impl FrameReader {
    /// A reader of frames of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            begun: BytesMut::new(),
            part: Bytes::new(),
            line: Line::Nothing,
            limit,
        }
    }

    /// Takes the next part of the stream. It is copied only if the one before was not read to its
    /// end.
    pub fn push(&mut self, part: Bytes) {
        self.part = if self.part.is_empty() {
            part
        } else {
            [&*self.part, &part].concat().into()
        };
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// If it is too long; the rest of the stream cannot be read then.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameTooLong> {
        let end = self.frame_end();
        let read = self.part.split_to(end.unwrap_or(self.part.len()));
        if self.begun.len() + read.len() > self.limit {
            return Err(FrameTooLong { limit: self.limit });
        }
        if end.is_some() && self.begun.is_empty() {
            return Ok(Some(read));
        }
        self.begun.extend_from_slice(&read);
        Ok(end.map(|_| self.begun.split().freeze()))
    }

    /// What follows the last whole frame, if anything does.
    #[must_use]
    pub fn finish(self) -> Option<Bytes> {
        let rest = [self.begun.freeze(), self.part].concat();
        (!rest.is_empty()).then(|| rest.into())
    }

    /// Where in the part the current frame ends.
    fn frame_end(&mut self) -> Option<usize> {
        for (at, byte) in self.part.iter().enumerate() {
            self.line = match (byte, self.line) {
                (b'\n', Line::Nothing | Line::CarriageReturn) => {
                    self.line = Line::Nothing;
                    return Some(at + 1);
                }
                (b'\n', Line::Text) => Line::Nothing,
                (b'\r', Line::Nothing) => Line::CarriageReturn,
                _ => Line::Text,
            };
        }
        None
    }
}

/// What a body is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// A stream of server-sent events.
    EventStream,
    /// Anything else, like a JSON document.
    Document,
    /// There are too few bytes to say so.
    Undecided,
}

/// Returns what a body that begins with these bytes is: an event stream begins with a field or a
/// comment, after blank lines.
#[must_use]
pub fn body_form(begun: &[u8]) -> BodyForm {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    const STARTS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];
    if MARK.starts_with(begun) {
        return BodyForm::Undecided;
    }
    let begun = begun.strip_prefix(MARK).unwrap_or(begun);
    let text = begun.trim_ascii_start();
    if STARTS.iter().any(|start| text.starts_with(start)) {
        BodyForm::EventStream
    } else if STARTS.iter().any(|start| start.starts_with(text)) {
        BodyForm::Undecided
    } else {
        BodyForm::Document
    }
}

/// The content of a frame's `data` lines; none if it has none. Comments and other fields are
/// passed over.
#[must_use]
pub fn payload(frame: &[u8]) -> Option<Cow<'_, [u8]>> {
    let frame = frame.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(frame);
    let mut lines = frame.split(|&byte| byte == b'\n').filter_map(data);
    let first = lines.next()?;
    let Some(second) = lines.next() else {
        return Some(Cow::Borrowed(first));
    };
    let lines: Vec<_> = [first, second].into_iter().chain(lines).collect();
    Some(Cow::Owned(lines.join(&b'\n')))
}

/// The content of a line, if it is a `data` line.
fn data(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let value = match line.strip_prefix(b"data")? {
        [] => return Some(&[]),
        [b':', value @ ..] => value,
        _ => return None,
    };
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn read(parts: impl IntoIterator<Item = Bytes>) -> (Vec<Bytes>, Option<Bytes>) {
        let mut reader = FrameReader::new(usize::MAX);
        let mut frames = Vec::new();
        for part in parts {
            reader.push(part);
            while let Some(frame) = reader.next_frame().expect("there is no limit") {
                frames.push(frame);
            }
        }
        (frames, reader.finish())
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: &[&str] = &[
            "data: é", ":", "\n", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", "x",
        ];
        vec(select(PIECES), 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_frames(stream in stream(), sizes in vec(1_usize..9, 0..40)) {
            let (frames, rest) = read([Bytes::from(stream.clone())]);
            let mut left = Bytes::from(stream.clone());
            let mut parts: Vec<_> = sizes
                .into_iter()
                .map(|size| left.split_to(size.min(left.len())))
                .collect();
            parts.push(left);
            prop_assert_eq!(read(parts), (frames.clone(), rest.clone()));
            let mut whole = frames.concat();
            whole.extend_from_slice(&rest.unwrap_or_default());
            prop_assert_eq!(whole, stream);
        }

        #[test]
        fn parts_may_be_pushed_before_they_are_read(stream in stream(), cut in 0_usize..99) {
            let mut rest = Bytes::from(stream.clone());
            let mut reader = FrameReader::new(usize::MAX);
            reader.push(rest.split_to(cut.min(rest.len())));
            reader.push(rest);
            let frame = reader.next_frame().expect("there is no limit");
            prop_assert_eq!(frame, read([Bytes::from(stream)]).0.into_iter().next());
        }

        #[test]
        fn a_frame_ends_with_its_only_blank_line(stream in stream()) {
            for frame in read([Bytes::from(stream)]).0 {
                let text = str::from_utf8(&frame).expect("frames end between characters");
                let blank: Vec<_> = text.lines().map(str::is_empty).collect();
                prop_assert_eq!(blank.iter().position(|blank| *blank), Some(blank.len() - 1));
            }
        }
    }

    #[test]
    fn a_frame_within_one_part_is_not_copied() {
        let part = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
        let (frames, _) = read([part.clone()]);
        assert_eq!(frames[1].as_ptr(), part[9..].as_ptr());
    }

    #[test]
    fn too_long_a_frame_is_refused_whole_or_in_parts() {
        for parts in [&["data: 12\n\n"][..], &["data: 1", "2345"]] {
            let mut reader = FrameReader::new(9);
            let mut outcome = Ok(None);
            for part in parts {
                reader.push(Bytes::from_static(part.as_bytes()));
                outcome = reader.next_frame();
            }
            assert_eq!(outcome, Err(FrameTooLong { limit: 9 }));
        }
    }

    #[test]
    fn a_payload_is_what_its_data_lines_say() {
        for (frame, expected) in [
            ("data: {}\n\n", Some("{}")),
            ("data:{}\r\n\r\n", Some("{}")),
            ("\u{feff}data:  x\n\n", Some(" x")),
            ("event: ping\nid: 7\ndata: {}\n\n", Some("{}")),
            ("data: {\n: comment\ndata: }\n\n", Some("{\n}")),
            ("data\ndata:\n\n", Some("\n")),
            (": keep-alive\n\n", None),
            ("database: x\n\n", None),
            ("\n", None),
        ] {
            let payload = payload(frame.as_bytes());
            assert_eq!(payload.as_deref(), expected.map(str::as_bytes), "{frame:?}");
        }
    }

    #[test]
    fn a_body_is_told_by_its_first_bytes() {
        for (begun, form) in [
            ("", BodyForm::Undecided),
            (" \r\n", BodyForm::Undecided),
            ("\n\nda", BodyForm::Undecided),
            ("data: {}", BodyForm::EventStream),
            ("\u{feff}\nevent: x", BodyForm::EventStream),
            (": comment", BodyForm::EventStream),
            ("id:1", BodyForm::EventStream),
            ("retry: 1", BodyForm::EventStream),
            ("{\"data\":", BodyForm::Document),
            ("date: today", BodyForm::Document),
            ("<html>", BodyForm::Document),
        ] {
            assert_eq!(body_form(begun.as_bytes()), form, "{begun:?}");
        }
    }
}
