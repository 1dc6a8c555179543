//! How a scripted upstream fails, and what its clients may see of that.

use std::time::Duration;

use deja_tests::{Answer, Api, Asked, Ending, Reply};

/// A page that is no answer.
pub(crate) const PAGE: &str = "<html><body>Welcome to the Wi-Fi</body></html>";

/// How long an upstream is silent that says nothing for too long.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The caller asks too often.
    TooMany,
    /// The upstream has a bug.
    Internal,
    /// The upstream is overloaded.
    Overloaded,
    /// The connection is reset before anything was said.
    Reset,
    /// The answer breaks off, in one of several ways.
    Cut,
    /// The answer begins and does not go on.
    Silent,
    /// It is the page of somebody else.
    Page,
    /// It is no JSON.
    Garbled,
    /// An error comes in the middle.
    Late,
}

impl Fault {
    pub(crate) const ALL: [Self; 9] = [
        Self::TooMany,
        Self::Internal,
        Self::Overloaded,
        Self::Reset,
        Self::Cut,
        Self::Silent,
        Self::Page,
        Self::Garbled,
        Self::Late,
    ];

    /// The word for it in a question.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too-many",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Silent => "silent",
            Self::Page => "page",
            Self::Garbled => "garbled",
            Self::Late => "late",
        }
    }

    /// The fault that a question's text names.
    pub(crate) fn in_text(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("fault ")?;
        let name = rest.split(' ').next()?;
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// The statuses with which a client may be told of it.
    pub(crate) fn statuses(self) -> &'static [u16] {
        match self {
            Self::TooMany => &[429],
            Self::Internal => &[500],
            Self::Overloaded => &[529, 503],
            Self::Reset | Self::Cut | Self::Page | Self::Garbled => &[502],
            Self::Silent => &[504, 502],
            // Where the whole stream is read before the reply begins, its error has a status.
            Self::Late => &[500, 502, 503, 529],
        }
    }

    /// What the upstream sends instead of this answer.
    pub(crate) fn reply(self, api: Api, asked: &Asked, right: Reply, answer: &Answer) -> Reply {
        let frames = || {
            let mut frames = api.frames(answer, false);
            frames.truncate(frames.len() / 2);
            frames
        };
        let document = || api.document(answer).to_string();
        let streams = asked.wants_stream();
        match self {
            Self::TooMany => api.error(429, "not so fast").header("retry-after", "1"),
            Self::Internal => api.error(500, "a bug"),
            Self::Overloaded => api.error(529, "too much to do"),
            Self::Reset => Reply::reset(),
            Self::Cut if streams => Reply::frames(frames()).ending(cut(asked.number)),
            Self::Cut => Reply::body("application/json", document())
                .promising_more(1 + asked.number % 999)
                .ending([Ending::Close, Ending::Reset][asked.number % 2]),
            Self::Silent if streams => Reply::frames(frames()).ending(Ending::Stall),
            Self::Silent => right.taking(SILENCE * 4),
            Self::Page => Reply::body("text/html", PAGE),
            Self::Garbled if streams => Reply::frames(frames()).then("data: {\"choi\n\n"),
            Self::Garbled => {
                let mut document = document();
                document.truncate(20);
                Reply::body("application/json", document)
            }
            Self::Late if streams => Reply::frames(frames()).then(api.error_frame("no more")),
            Self::Late => api.error(500, "no more"),
        }
    }
}

/// A way for a stream to end too early.
fn cut(number: usize) -> Ending {
    [
        Ending::Whole,
        Ending::Close,
        Ending::HalfChunk,
        Ending::Reset,
    ][number % 4]
}
