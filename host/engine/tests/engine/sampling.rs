//! How tokens are chosen, and how likely they were.

use deja_engine::EngineError;
use deja_wire::{ChatRequest, Delta, Event, FinishReason, Format, Prompt, Sampling, TokenLogprob};
use serde_json::{Value, json};

use crate::support::{answer, request, start};

#[tokio::test]
async fn the_only_candidate_is_the_likeliest() {
    let engine = start().await;
    let random = Sampling {
        temperature: 2.0,
        ..Sampling::default()
    };
    let samplings = [
        Sampling {
            top_k: Some(1),
            ..random.clone()
        },
        Sampling {
            min_p: 0.999,
            ..random.clone()
        },
        Sampling {
            top_p: 1e-6,
            ..random
        },
    ];
    for sampling in samplings {
        let request = ChatRequest {
            sampling,
            ..request("What is the capital of France?")
        };
        let answer = answer(&engine, request).await.expect("answers");
        assert_eq!(answer.text(), "The capital of France is Paris.");
    }
}

#[tokio::test]
async fn a_bias_rules_tokens_out_and_penalties_end_repetitions() {
    let engine = start().await;
    let text = async |sampling: Sampling| {
        let request = ChatRequest {
            sampling,
            max_tokens: Some(16),
            ..ChatRequest::new(Prompt::Text("one one one one one one one".to_owned()))
        };
        answer(&engine, request).await.expect("answers").text()
    };
    let plain = text(Sampling::greedy()).await;
    assert_eq!(plain, "-to-many".repeat(4));
    let unpenalised = |sampling: Sampling| Sampling {
        temperature: 0.0,
        ..sampling
    };
    let penalties = [
        Sampling {
            repetition_penalty: 1.8,
            ..Sampling::default()
        },
        Sampling {
            presence_penalty: 2.0,
            frequency_penalty: 2.0,
            ..Sampling::default()
        },
        Sampling {
            // "many"
            logit_bias: [(18431, -100.0)].into(),
            ..Sampling::default()
        },
    ];
    for penalty in penalties {
        let sampling = unpenalised(penalty);
        let text = text(sampling.clone()).await;
        assert!(
            text.matches("many").count() < 3,
            "{text:?} with {sampling:?}"
        );
    }
}

#[tokio::test]
async fn probabilities_are_told_with_the_text_of_their_tokens() {
    let engine = start().await;
    let request = ChatRequest {
        logprobs: Some(3),
        ..request("Repeat exactly: 🦀")
    };
    let mut generation = engine.generate(request);
    let (mut texts, mut logprobs) = (String::new(), Vec::<TokenLogprob>::new());
    while let Some(event) = generation.next().await {
        if let Event::Delta {
            delta: Delta::Text {
                text,
                logprobs: new,
            },
            ..
        } = event.expect("answers")
        {
            texts.push_str(&text);
            logprobs.extend(new);
        }
    }
    assert!(texts.contains('🦀'), "{texts:?}");
    let bytes: Vec<_> = logprobs
        .iter()
        .flat_map(|one| one.token.bytes.clone())
        .collect();
    assert_eq!(String::from_utf8_lossy(&bytes), texts);
    for TokenLogprob { token, top } in logprobs {
        assert_eq!(top.len(), 3);
        assert_eq!(top[0], token, "the likeliest token was taken");
        let share = |candidate: &deja_wire::Candidate| candidate.logprob.map_or(0.0, f32::exp);
        let shares: Vec<_> = top.iter().map(share).collect();
        assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
        assert!(shares.iter().sum::<f32>() <= 1.001, "{shares:?}");
    }
}

#[tokio::test]
async fn an_answer_keeps_to_its_schema() {
    let engine = start().await;
    let schema = json!({
        "type": "object",
        "properties": {"capital": {"enum": ["Paris", "Rome"]}, "large": {"type": "boolean"}},
        "required": ["capital", "large"],
        "additionalProperties": false,
    });
    let question = |format| ChatRequest {
        format,
        ..request("What is the capital of France? Is it large?")
    };
    let format = Format::JsonSchema(schema);
    let whole = answer(&engine, question(format)).await.expect("answers");
    assert_eq!(whole.finish, FinishReason::Stop, "{}", whole.text());
    let said: Value = serde_json::from_str(&whole.text()).expect("it is JSON");
    assert_eq!(said["capital"], "Paris");
    assert!(said["large"].is_boolean(), "{said}");
    let broken = Format::JsonSchema(json!({"type": "unheard of"}));
    let refused = answer(&engine, question(broken)).await;
    assert!(
        matches!(refused, Err(EngineError::Format { .. })),
        "{refused:?}"
    );
    let object = answer(&engine, question(Format::JsonObject)).await;
    assert!(object.expect("answers").text().starts_with('{'));
}
