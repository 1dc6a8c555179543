//! What an engine answers.

use deja_engine::{Engine, EngineError, Settings};
use deja_wire::{FinishReason, Sampling};

use crate::support::{answer, model, request, start, worker};

#[tokio::test]
async fn a_question_is_answered_to_its_end() {
    let engine = start().await;
    let answer = answer(&engine, request("What is the capital of France?"))
        .await
        .expect("answers");
    assert_eq!(answer.text(), "The capital of France is Paris.");
    assert_eq!(answer.finish, FinishReason::Stop);
    // The last token is the one that ended the text.
    assert_eq!(
        (answer.usage.prompt_tokens, answer.usage.completion_tokens),
        (37, 8)
    );
    assert!(
        answer.pieces.len() > 1,
        "the answer does not come in pieces: {:?}",
        answer.pieces
    );
    assert!(answer.pieces.iter().all(|piece| !piece.is_empty()));
}

#[tokio::test]
async fn stop_strings_end_the_text_and_are_not_in_it() {
    let engine = start().await;
    // "France" is several characters of a token; "e is Pa" spans three tokens.
    for (stop, text) in [
        ("France", "The capital of "),
        ("e is Pa", "The capital of Franc"),
    ] {
        let mut request = request("What is the capital of France?");
        request.stop = vec!["never".to_owned(), stop.to_owned()];
        let answer = answer(&engine, request).await.expect("answers");
        let finish = FinishReason::StopString(stop.to_owned());
        assert_eq!((answer.text().as_str(), answer.finish), (text, finish));
    }
}

#[tokio::test]
async fn the_token_limit_ends_the_text() {
    let engine = start().await;
    let mut request = request("What is the capital of France?");
    request.max_tokens = Some(3);
    let answer = answer(&engine, request).await.expect("answers");
    assert_eq!(
        (answer.text().as_str(), answer.finish),
        ("The capital of", FinishReason::Length)
    );
    assert_eq!(answer.usage.completion_tokens, 3);
}

#[tokio::test]
async fn the_seed_decides_a_random_text() {
    let engine = start().await;
    let random = async |seed| {
        let mut request = request("Tell me a story.");
        request.sampling = Sampling {
            temperature: 1.0,
            top_p: 0.9,
            seed,
            ..Sampling::default()
        };
        request.max_tokens = Some(16);
        answer(&engine, request).await.expect("answers").text()
    };
    let first = random(Some(7)).await;
    assert_eq!(first, random(Some(7)).await);
    assert_ne!(first, random(Some(8)).await);
    assert_ne!(random(None).await, random(None).await);
}

#[tokio::test]
async fn the_end_of_the_context_ends_the_text_and_refuses_a_prompt() {
    let mut settings = Settings::new(model(), worker());
    settings.context_length = Some(40);
    let engine = Engine::start(settings).await.expect("the engine starts");
    let info = engine.info().expect("its files are here");
    assert_eq!(info.context_length, 40);
    let full = answer(&engine, request("What is the capital of France?"))
        .await
        .expect("answers");
    assert_eq!(
        (full.text().as_str(), full.finish),
        ("The capital of", FinishReason::Length)
    );
    assert_eq!(full.usage.prompt_tokens + full.usage.completion_tokens, 40);
    let refused = answer(
        &engine,
        request("What is the capital city of the French Republic?"),
    )
    .await;
    assert_eq!(
        refused,
        Err(EngineError::ContextExceeded {
            prompt_tokens: 40,
            context_length: 40
        })
    );
}

#[tokio::test]
async fn characters_of_several_tokens_come_whole() {
    let engine = start().await;
    let mut request = request("Repeat exactly: 🦀🐍 日本語 naïve");
    request.max_tokens = Some(40);
    let answer = answer(&engine, request).await.expect("answers");
    // The limit cuts a crab in two: it is not sent.
    assert_eq!(answer.usage.completion_tokens, 40);
    assert_eq!(
        answer.text(),
        "🦀🐍 日本語 naïve.\n\n🦀🐍 日本語 naïve.\n\n🦀"
    );
    assert!(
        answer.pieces.contains(&"🦀".to_owned()),
        "{:?}",
        answer.pieces
    );
}
