//! The probabilities of a prompt's own tokens.

use deja_engine::{Engine, EngineError, LanguageModel, Limits, Settings};
use deja_wire::{ChatRequest, Delta, Event, Prompt, Sampling, TokenLogprob, Usage};

use crate::support::{model, start, worker};

/// Longer than what is scored at once.
const TEXT: &str = "The capital of France is Paris, and the capital of Italy is Rome. Le nom de la \
                    ville vient des Parisii, naïve 🦀 and all that was said of them by Caesar in his \
                    book on the war.";

fn scored(max_tokens: u32) -> ChatRequest {
    ChatRequest {
        sampling: Sampling::greedy(),
        logprobs: Some(2),
        echo: true,
        max_tokens: Some(max_tokens),
        ..ChatRequest::new(Prompt::Text(TEXT.to_owned()))
    }
}

/// All that an answer says, and what it took.
async fn answer(
    engine: &Engine,
    request: ChatRequest,
) -> Result<(String, Vec<TokenLogprob>, Usage), EngineError> {
    let mut generation = engine.generate(request);
    let (mut said, mut known) = (String::new(), Vec::new());
    loop {
        match generation.next().await.expect("an answer has an end")? {
            Event::Delta {
                delta: Delta::Text { text, logprobs },
                ..
            } => {
                said += &text;
                known.extend(logprobs);
            }
            Event::End { usage } => return Ok((said, known, usage)),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_prompt_is_as_likely_as_the_model_finds_it() {
    let engine = start().await;
    let (text, logprobs, usage) = answer(&engine, scored(0)).await.expect("answers");
    assert_eq!((text.as_str(), usage.completion_tokens), (TEXT, 0));
    let bytes = logprobs.iter().flat_map(|one| &one.token.bytes).copied();
    assert_eq!(String::from_utf8(bytes.collect()).as_deref(), Ok(TEXT));

    let model = LanguageModel::load(&model(), None).expect("loads");
    let tokens = model
        .prompt(&Prompt::Text(TEXT.to_owned()))
        .expect("is text");
    assert!(tokens.len() > 40, "{}", tokens.len());
    assert_eq!(
        (logprobs.len(), logprobs[0].token.logprob),
        (tokens.len(), None)
    );
    let logits = model.logits(&tokens, tokens.len()).expect("computes");
    for ((row, token), scored) in logits.iter().zip(&tokens[1..]).zip(&logprobs[1..]) {
        let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        let expected = f64::from(row[*token as usize]) - sum.ln();
        let told = scored.token.logprob.expect("something comes before it");
        assert!(
            (f64::from(told) - expected).abs() < 1e-3,
            "{told} is not {expected}"
        );
        assert_eq!(scored.top.len(), 2);
    }
}

#[tokio::test]
async fn the_text_goes_on_after_the_prompt_as_without_scores() {
    let engine = start().await;
    let plain = ChatRequest {
        logprobs: None,
        ..scored(5)
    };
    let (text, _, usage) = answer(&engine, plain).await.expect("answers");
    let fresh = start().await;
    let (again, logprobs, scored_usage) = answer(&fresh, scored(5)).await.expect("answers");
    assert!(text.starts_with(TEXT) && text.len() > TEXT.len());
    assert_eq!((again, scored_usage), (text, usage));
    let tokens = usage.prompt_tokens + usage.completion_tokens;
    assert_eq!(logprobs.len(), tokens as usize);
}

#[tokio::test]
async fn a_prompt_for_which_there_is_no_room_is_refused() {
    let mut settings = Settings::new(model(), worker());
    settings.limits = Limits {
        kv_bytes: 4096,
        ..Limits::default()
    };
    let engine = Engine::start(settings).await.expect("the engine starts");
    let refused = answer(&engine, scored(0)).await;
    assert!(
        matches!(refused, Err(EngineError::OutOfMemory { .. })),
        "{refused:?}"
    );
}
