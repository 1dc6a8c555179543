//! A stream as it is kept: all its frames, in a small space.

use crate::{
    Fresh,
    slot::Piece,
    template::{Template, TemplateBuilder},
};

/// Frames in a row that are left out, or not, together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    /// Whether they tell the token counts and nothing else.
    usage: bool,
    template: Template,
}

/// The frames of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamTemplate {
    segments: Box<[Segment]>,
}

/// A stream in the making.
#[derive(Debug, Default)]
pub(crate) struct StreamBuilder {
    done: Vec<Segment>,
    /// The segment that grows, and whether it tells the token counts.
    usage: bool,
    current: TemplateBuilder,
}

impl StreamBuilder {
    /// Adds a frame at the end.
    pub(crate) fn push(&mut self, frame: Piece, usage: bool) {
        if usage != self.usage {
            self.seal();
            self.usage = usage;
        }
        self.current.push(frame);
    }

    pub(crate) fn finish(mut self) -> StreamTemplate {
        self.seal();
        StreamTemplate {
            segments: self.done.into(),
        }
    }

    fn seal(&mut self) {
        self.done.push(Segment {
            usage: self.usage,
            template: std::mem::take(&mut self.current).finish(),
        });
    }
}

impl StreamTemplate {
    /// The frames, with or without those that tell the token counts and nothing else.
    pub(crate) fn render(&self, fresh: &Fresh, usage: bool) -> Vec<u8> {
        let wanted = || {
            let segments = self.segments.iter();
            segments
                .filter(|segment| usage || !segment.usage)
                .map(|segment| &segment.template)
        };
        let mut text = Vec::with_capacity(wanted().map(Template::length).sum());
        for template in wanted() {
            template.render(fresh, &mut text);
        }
        text
    }

    /// Bytes of memory that it occupies beside its own fields.
    pub(crate) fn heap_bytes(&self) -> usize {
        let templates = self.segments.iter().map(|segment| &segment.template);
        size_of_val(&*self.segments) + templates.map(Template::heap_bytes).sum::<usize>()
    }
}
