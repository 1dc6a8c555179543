//! Which questions are asked how often.

use deja_tests::Api;
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    fault::Fault,
    question::{Call, Question, Target},
};

/// Whose keys are shown.
const CALLERS: [Option<&str>; 4] = [
    None,
    Some("key-of-ada"),
    Some("key-of-bob"),
    Some("key-of-cyd"),
];

/// How many topics there are of each kind.
const TOPICS: u32 = 4000;

/// How many of them come again and again.
const FAVOURITES: u32 = 12;

/// How many large questions there are, and how long the largest is, in bytes.
const LARGE: u32 = 24;
const LARGEST: usize = 4 << 20;

/// How many questions the engine is asked, of each kind.
const ENGINE_TOPICS: u32 = 12;

/// Every how many-th conversation is one that the upstream fails at.
const FAULTY: u32 = 16;

/// Every how many-th topic is one that the upstream is slow at.
const SLOW: u32 = 10;

impl Question {
    /// A question, one of those that are asked.
    pub(crate) fn draw(draw: &mut StdRng) -> Self {
        match draw.random_range(0..1000) {
            0..40 => Self::to_engine(draw),
            40..52 => Self::large(draw),
            _ => Self::to_upstream(draw),
        }
    }

    fn to_engine(draw: &mut StdRng) -> Self {
        let calls = [
            Call::Chat,
            Call::Completion,
            Call::Message,
            Call::Count,
            Call::Embedding,
        ];
        Self {
            turns: draw.random_bool(0.3),
            ..Self::new(
                one_of(&calls, draw),
                Target::Engine,
                draw.random_range(0..ENGINE_TOPICS),
                draw,
            )
        }
    }

    fn large(draw: &mut StdRng) -> Self {
        let topic = draw.random_range(0..LARGE);
        let (call, target) = one_of(&PLACES[..4], draw);
        Self {
            size: (64 << 10) + LARGEST / LARGE as usize * topic as usize,
            ..Self::new(call, target, topic, draw)
        }
    }

    fn to_upstream(draw: &mut StdRng) -> Self {
        let is_favourite = draw.random_bool(0.8);
        let topics = if is_favourite { FAVOURITES } else { TOPICS };
        let topic = draw.random_range(0..topics);
        let (call, target) = one_of(&PLACES, draw);
        let speaks = matches!(call, Call::Chat | Call::Message);
        let fails = speaks && draw.random_range(0..FAULTY) == 0;
        let organized = target == Target::OpenAi && call.api() == Api::OpenAi;
        Self {
            tools: speaks && topic % 4 == 2,
            turns: topic % 5 == 3 && !matches!(call, Call::Completion | Call::Embedding),
            organization: (organized && topic % 3 == 0).then(|| draw.random_range(0..3)),
            slow: topic % SLOW == 7,
            fault: fails.then(|| one_of(&Fault::ALL, draw)),
            ..Self::new(call, target, topic, draw)
        }
    }

    fn new(call: Call, target: Target, topic: u32, draw: &mut StdRng) -> Self {
        let model = match target {
            Target::OpenAi => one_of(&["oa-small", "oa-large"], draw),
            Target::Anthropic => one_of(&["an-small", "an-large"], draw),
            Target::Engine => "engine",
        };
        Self {
            call,
            target,
            model,
            caller: one_of(&CALLERS, draw),
            organization: None,
            topic,
            size: 0,
            tools: false,
            turns: false,
            fault: None,
            slow: false,
        }
    }
}

/// What each upstream is asked; the first four are conversations.
const PLACES: [(Call, Target); 8] = [
    (Call::Chat, Target::OpenAi),
    (Call::Message, Target::Anthropic),
    (Call::Chat, Target::Anthropic),
    (Call::Message, Target::OpenAi),
    (Call::Completion, Target::OpenAi),
    (Call::Count, Target::Anthropic),
    (Call::Embedding, Target::OpenAi),
    (Call::Chat, Target::OpenAi),
];

fn one_of<T: Copy>(all: &[T], draw: &mut StdRng) -> T {
    all[draw.random_range(0..all.len())]
}
