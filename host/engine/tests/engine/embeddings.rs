//! Embeddings through the worker process.

use deja_engine::{Engine, EngineError, LanguageModel, Settings};
use deja_wire::{Embedding, EmbeddingInput, EmbeddingRequest, Event, Prompt};

use crate::support::{model, start, story, wait_for_text, worker};

const TEXTS: [&str; 3] = [
    "The capital of France is Paris.",
    "naïve 🦀 1234",
    "The capital of France is Paris.",
];

fn text(text: &str) -> EmbeddingInput {
    EmbeddingInput::Text(text.to_owned())
}

fn asking(inputs: impl IntoIterator<Item = EmbeddingInput>) -> EmbeddingRequest {
    EmbeddingRequest {
        model: None,
        inputs: inputs.into_iter().collect(),
        dimensions: None,
    }
}

async fn one(engine: &Engine, input: EmbeddingInput) -> Embedding {
    let embeddings = engine.embed(asking([input])).await.expect("embeds");
    let [embedding] = embeddings.try_into().expect("one input has one embedding");
    embedding
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

#[tokio::test]
async fn a_texts_embedding_is_the_models_alone_and_in_a_list() {
    let engine = start().await;
    let model = LanguageModel::load(&model(), None).expect("loads");
    let listed = engine.embed(asking(TEXTS.map(text))).await.expect("embeds");
    assert_eq!(listed.len(), TEXTS.len());
    for (words, embedding) in TEXTS.into_iter().zip(&listed) {
        let prompt = Prompt::Text(words.to_owned());
        let tokens = model.prompt(&prompt).expect("has tokens");
        let expected = model.embed(&tokens, model.pooling()).expect("computes");
        assert_eq!(embedding.vector, expected, "{words}");
        assert_eq!(embedding.tokens as usize, tokens.len());
        assert!((length(&embedding.vector) - 1.0).abs() < 1e-5, "{words}");
        assert_eq!(&one(&engine, text(words)).await, embedding);
        assert_eq!(
            &one(&engine, EmbeddingInput::Tokens(tokens)).await,
            embedding
        );
    }
    assert_ne!(listed[0], listed[1]);
}

#[tokio::test]
async fn a_shorter_embedding_is_the_beginning_of_the_whole() {
    let engine = start().await;
    let whole = one(&engine, text(TEXTS[0])).await.vector;
    let shortened = async |dimensions: usize| {
        let dimensions = u32::try_from(dimensions).ok();
        let request = EmbeddingRequest {
            dimensions,
            ..asking([text(TEXTS[0])])
        };
        engine.embed(request).await
    };
    let short = shortened(8).await.expect("embeds").remove(0).vector;
    assert!((length(&short) - 1.0).abs() < 1e-5);
    let scale = length(&whole[..8]);
    assert_eq!(short.len(), 8);
    for (short, whole) in short.iter().zip(&whole) {
        assert!((short * scale - whole).abs() < 1e-6);
    }
    let own = whole.len();
    let refused = shortened(own + 1).await;
    assert!(
        matches!(refused, Err(EngineError::Dimensions { own: told, .. }) if told == own),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_embedded_is_told_and_the_worker_goes_on() {
    let mut settings = Settings::new(model(), worker());
    settings.context_length = Some(16);
    let engine = Engine::start(settings).await.expect("the engine starts");
    let unknown = EmbeddingInput::Tokens(vec![1, u32::MAX]);
    let refused = engine.embed(asking([text("one"), unknown])).await;
    assert!(
        matches!(refused, Err(EngineError::Input { .. })),
        "{refused:?}"
    );
    let refused = engine.embed(asking([text(&"word ".repeat(20))])).await;
    assert!(
        matches!(
            refused,
            Err(EngineError::InputTooLong { tokens, context_length: 16 }) if tokens >= 20
        ),
        "{refused:?}"
    );
    one(&engine, text("one")).await;
}

#[tokio::test]
async fn an_input_that_takes_too_much_memory_is_refused() {
    let mut settings = Settings::new(model(), worker());
    settings.limits.kv_bytes = 1 << 10;
    let engine = Engine::start(settings).await.expect("the engine starts");
    let refused = engine.embed(asking([text("one")])).await;
    let Err(EngineError::Input { reason }) = refused else {
        panic!("{refused:?} is no refusal");
    };
    assert!(reason.contains("1024 bytes"), "{reason}");
}

#[tokio::test]
async fn answers_go_on_while_a_list_is_embedded() {
    let engine = start().await;
    let mut running = engine.generate(story());
    wait_for_text(&mut running).await;
    let texts = (0..20).map(|number| text(&format!("This is text number {number}.")));
    let mut embedding = Box::pin(engine.embed(asking(texts)));
    let mut events = 0;
    let embedded = loop {
        tokio::select! {
            embedded = &mut embedding => break embedded.expect("embeds"),
            event = running.next() => {
                assert!(matches!(event, Some(Ok(Event::Delta { .. }))), "{event:?}");
                events += 1;
            }
        }
    };
    assert_eq!(embedded.len(), 20);
    assert!(events >= 10, "only {events} tokens came meanwhile");
}

#[tokio::test]
async fn a_full_engine_embeds_nothing_until_there_is_a_place() {
    let mut settings = Settings::new(model(), worker());
    settings.max_waiting = 1;
    let engine = Engine::start(settings).await.expect("the engine starts");
    let running = engine.generate(story());
    let refused = engine.embed(asking([text("one")])).await;
    assert!(
        matches!(refused, Err(EngineError::Busy { .. })),
        "{refused:?}"
    );
    drop(running);
    one(&engine, text("one")).await;
}

#[tokio::test]
async fn after_a_shutdown_nothing_is_embedded() {
    let engine = start().await;
    engine.shutdown().await;
    let late = engine.embed(asking([text("one")])).await;
    assert!(
        matches!(late, Err(EngineError::WorkerLost { .. })),
        "{late:?}"
    );
}
