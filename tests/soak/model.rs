//! The scripted model: its answer follows from what it is asked and by whom, and from nothing else.

use std::time::Duration;

use deja_tests::{Answer, Api, Asked, Reply, Stop, Upstream};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::fault::Fault;

/// The tools that questions offer.
pub(crate) const TOOLS: [&str; 2] = ["look_up", "write"];

const WORDS: [&str; 12] = [
    "the",
    "fox",
    "naïve",
    "“quoted”",
    "日本語",
    "line\nbreak",
    "tab\t",
    "🦊",
    "back\\slash",
    "a",
    "river",
    "stone",
];

/// All that an answer depends on.
pub(crate) struct Asking<'a> {
    pub(crate) caller: &'a str,
    pub(crate) organization: &'a str,
    pub(crate) model: &'a str,
    /// The canonical text of all turns.
    pub(crate) prompt: &'a str,
    pub(crate) tools: bool,
    /// Whether it can think and call tools.
    pub(crate) speaks: bool,
}

/// A text without what the keyers of the soak take for no difference.
pub(crate) fn canonical(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The canonical text of a conversation in either API's form.
pub(crate) fn prompt_of(turns: &[Value]) -> String {
    let turn = |turn: &Value| {
        let content = &turn["content"];
        let blocks = content.as_array().into_iter().flatten();
        let mut text: String = blocks.filter_map(|block| block["text"].as_str()).collect();
        text.push_str(content.as_str().unwrap_or_default());
        format!(
            "{}: {}\n",
            turn["role"].as_str().unwrap_or_default(),
            canonical(&text)
        )
    };
    turns.iter().map(turn).collect()
}

impl Asking<'_> {
    /// The right answer.
    pub(crate) fn answer(&self) -> Answer {
        let mut hash = blake3::Hasher::new();
        for part in [self.caller, self.organization, self.model, self.prompt] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&[self.tools.into(), self.speaks.into()]);
        let digest = hash.finalize();
        let mut draw = StdRng::from_seed(*digest.as_bytes());
        let name = &digest.to_hex()[..12];

        let mut answer = Answer::text(&text(name, &mut draw));
        answer.prompt_tokens = draw.random_range(1..100_000);
        answer.answer_tokens = draw.random_range(1..10_000);
        if draw.random_bool(0.1) {
            answer.stop = Stop::Length;
        }
        if self.speaks && draw.random_bool(0.2) {
            answer = answer.after_thinking(&format!("thinking of {name}"));
        }
        if self.tools && self.speaks && draw.random_bool(0.7) {
            for number in 0..draw.random_range(1..3) {
                let tool = TOOLS[draw.random_range(0..TOOLS.len())];
                let arguments = json!({"number": draw.random_range(0..1000), "text": name});
                answer = answer.calling(&format!("call_{name}{number}"), tool, arguments);
            }
        }
        answer
    }
}

/// Some words, seldom very many.
fn text(name: &str, draw: &mut StdRng) -> String {
    let words = match draw.random_range(0..100) {
        0 => draw.random_range(5_000..40_000),
        _ => draw.random_range(2..40),
    };
    let mut text = format!("answer {name}");
    for _ in 0..words {
        // Long texts come in long pieces: a piece ends at a space.
        text.push_str(if words > 100 && draw.random_bool(0.95) {
            "-"
        } else {
            " "
        });
        text.push_str(WORDS[draw.random_range(0..WORDS.len())]);
    }
    text
}

/// Starts an upstream of this API with the model behind it.
pub(crate) async fn upstream(api: Api) -> Upstream {
    Upstream::counting(move |asked| reply(api, asked)).await
}

fn reply(api: Api, asked: &Asked) -> Reply {
    let body = asked.json();
    let turns = body["messages"].as_array();
    let text = ["prompt", "input"].map(|field| body[field].as_str().unwrap_or_default());
    let prompt = match turns {
        Some(turns) => prompt_of(turns),
        None => canonical(&text.concat()),
    };
    let speaks = turns.is_some();
    let answer = Asking {
        caller: shown_key(asked),
        organization: asked.header("openai-organization"),
        model: body["model"].as_str().unwrap_or_default(),
        prompt: &prompt,
        tools: body["tools"].is_array(),
        speaks: speaks && !asked.target.contains("count_tokens"),
    }
    .answer();
    let right = match () {
        () if asked.target.contains("count_tokens") => Reply::json(&count(&answer)),
        () if asked.target.contains("embeddings") => Reply::json(&embedding(&answer)),
        () if speaks => api.reply(asked, &answer),
        () if asked.wants_stream() => Reply::frames(completion_frames(&answer, &body)),
        () => Reply::json(&completion(&answer)),
    };
    match Fault::in_text(&prompt) {
        // It succeeds now and then, so that what failed is asked for again and kept.
        Some(fault) if !asked.number.is_multiple_of(3) => fault.reply(api, asked, right, &answer),
        _ if prompt.contains("pace slow") => {
            right.taking(Duration::from_millis(200 + asked.number as u64 % 1300))
        }
        _ => right,
    }
}

fn shown_key(asked: &Asked) -> &str {
    match asked.header("x-api-key") {
        "" => asked.header("authorization").trim_start_matches("Bearer "),
        key => key,
    }
}

/// What `count_tokens` says.
fn count(answer: &Answer) -> Value {
    json!({"input_tokens": answer.prompt_tokens})
}

/// The numbers of an embedding.
pub(crate) fn vector(answer: &Answer) -> Vec<f64> {
    let mut draw = StdRng::seed_from_u64(answer.prompt_tokens.into());
    (0..16)
        .map(|_| f64::from(draw.random_range(-1000..1000)) / 1024.0)
        .collect()
}

fn embedding(answer: &Answer) -> Value {
    let tokens = answer.prompt_tokens;
    json!({
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector(answer)}],
        "model": "scripted",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

fn completion(answer: &Answer) -> Value {
    let mut document = piece(&answer.whole_text(), Some(answer.stop));
    document["usage"] = Api::OpenAi.document(answer)["usage"].take();
    document
}

fn completion_frames(answer: &Answer, body: &Value) -> Vec<String> {
    let pieces = answer.pieces.iter().map(|text| piece(text, None));
    let mut chunks: Vec<_> = pieces.chain([piece("", Some(answer.stop))]).collect();
    if body["stream_options"]["include_usage"] == true {
        let mut last = completion(answer);
        last["choices"] = json!([]);
        chunks.push(last);
    }
    let frames = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    frames.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

fn piece(text: &str, stop: Option<Stop>) -> Value {
    let stop = stop.map(|stop| Api::OpenAi.stop_name(stop));
    json!({
        "id": "cmpl-scripted", "object": "text_completion", "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": stop}],
    })
}
