//! Models that are loaded when somebody asks for them, and leave when nobody does.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use deja_engine::{
    Engine, EngineError, Residency, Settings, Source, WorkerCommand, WorkerState, WorkerStatus,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::{answer, finish, model, request, story, wait_for_text, worker};

const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

/// Less than the model takes twice, and more than it takes once: 32 bits for each of its 135 million
/// weights.
const ROOM_FOR_ONE: u64 = 800_000_000;

fn settings() -> Settings {
    Settings::new(model(), worker())
}

fn on_demand(settings: Settings) -> Engine {
    Engine::on_demand(settings).expect("the model is there")
}

async fn has_answered(engine: &Engine) {
    let answer = answer(engine, request(QUESTION)).await.expect("answers");
    assert_eq!(answer.text(), ANSWER);
}

/// Waits for a state, and returns it.
async fn reaches(engine: &Engine, is_so: impl Fn(&WorkerStatus) -> bool) -> WorkerState {
    let mut states = engine.states();
    let reached = timeout(
        Duration::from_mins(1),
        states.wait_for(|state| is_so(&state.status)),
    );
    let reached = reached.await.unwrap_or_else(|_| {
        let state = engine.state();
        panic!("it stays {state:?}")
    });
    reached.expect("the engine lives").clone()
}

async fn is_unloaded(engine: &Engine) {
    reaches(engine, |status| *status == WorkerStatus::Unloaded).await;
}

fn pid(engine: &Engine) -> Option<u32> {
    match engine.state().status {
        WorkerStatus::Running { pid, .. } => Some(pid),
        _ => None,
    }
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// A worker program that can be taken away, and a model that does not depend on it.
fn removable() -> (TempDir, PathBuf, Settings) {
    let folder = tempfile::tempdir().expect("makes a folder");
    let program = folder.path().join("worker");
    let WorkerCommand { arguments, .. } = worker();
    let worker = WorkerCommand {
        program: program.clone(),
        arguments,
    };
    (folder, program, Settings::new(model(), worker))
}

#[tokio::test]
async fn the_first_request_loads_the_model_and_all_wait_for_it() {
    let engine = on_demand(settings());
    assert_eq!(engine.state().status, WorkerStatus::Unloaded);
    let info = engine.info().expect("its files are here");
    assert_eq!(
        (engine.name(), info.context_length),
        ("SmolLM2-135M-Instruct.Q4_1", 8192)
    );
    let (first, second) = (
        engine.generate(request(QUESTION)),
        engine.generate(request(QUESTION)),
    );
    let (first, second) = tokio::join!(finish(first), finish(second));
    assert_eq!(first.expect("answers").text(), ANSWER);
    assert_eq!(second.expect("answers").text(), ANSWER);
    let state = engine.state();
    assert!(state.status.is_loaded() && state.restarts == 0, "{state:?}");
}

#[tokio::test]
async fn an_idle_model_is_unloaded_and_comes_back() {
    let settings = Settings {
        idle_timeout: Some(Duration::from_millis(1)),
        ..settings()
    };
    let engine = Engine::start(settings).await.expect("the engine starts");
    let first = pid(&engine);
    is_unloaded(&engine).await;
    assert!(
        first.is_none_or(|pid| !is_alive(pid)),
        "its worker lives on"
    );
    has_answered(&engine).await;
    is_unloaded(&engine).await;
}

#[tokio::test]
async fn a_budget_for_one_model_holds_the_one_that_is_asked() {
    let residency = Residency::new(Some(ROOM_FOR_ONE));
    let engines = ["first", "second"].map(|name| {
        on_demand(Settings {
            name: name.to_owned(),
            residency: residency.clone(),
            ..settings()
        })
    });
    for _ in 0..2 {
        for (asked, other) in [(0, 1), (1, 0)] {
            has_answered(&engines[asked]).await;
            assert!(engines[asked].state().status.is_loaded());
            assert_eq!(engines[other].state().status, WorkerStatus::Unloaded);
        }
    }
}

#[tokio::test]
async fn a_model_in_use_keeps_its_memory_and_the_other_waits_only_so_long() {
    let residency = Residency::new(Some(ROOM_FOR_ONE));
    let with_patience = |patience| Settings {
        residency: residency.clone(),
        patience,
        ..settings()
    };
    let busy = on_demand(with_patience(Duration::from_mins(1)));
    let (hasty, patient) = (
        on_demand(with_patience(Duration::from_millis(10))),
        on_demand(with_patience(Duration::from_mins(1))),
    );
    let mut running = busy.generate(story());
    wait_for_text(&mut running).await;
    let error = answer(&hasty, request(QUESTION))
        .await
        .expect_err("there is no room");
    assert!(matches!(error, EngineError::ModelsInUse { .. }), "{error}");
    assert!(error.is_retryable());
    is_unloaded(&hasty).await;
    let waits = patient.generate(request(QUESTION));
    reaches(&patient, |status| *status == WorkerStatus::Waiting).await;
    assert!(busy.state().status.is_loaded());
    drop(running);
    assert_eq!(finish(waits).await.expect("answers").text(), ANSWER);
    is_unloaded(&busy).await;
}

#[tokio::test]
async fn a_model_that_is_larger_than_the_budget_says_so() {
    // Its file is smaller than this; what it takes is known once it was loaded.
    for limit in [1000, 200_000_000] {
        let engine = on_demand(Settings {
            residency: Residency::new(Some(limit)),
            ..settings()
        });
        let error = answer(&engine, request(QUESTION))
            .await
            .expect_err("it is too large");
        assert!(
            matches!(error, EngineError::ModelTooLarge { limit: told, .. } if told == limit),
            "{error}"
        );
        assert!(!error.is_retryable());
        assert!(matches!(engine.state().status, WorkerStatus::Failed { .. }));
    }
}

#[tokio::test]
async fn a_failed_load_answers_all_that_wait_and_can_be_tried_again() {
    let (_folder, program, settings) = removable();
    let engine = on_demand(settings);
    let questions = [
        engine.generate(request(QUESTION)),
        engine.generate(request(QUESTION)),
    ];
    for question in questions {
        let error = finish(question).await.expect_err("there is no worker");
        assert!(matches!(error, EngineError::WorkerStart { .. }), "{error}");
    }
    let failed = engine.state().status;
    assert!(matches!(failed, WorkerStatus::Failed { .. }) && !failed.is_well());
    symlink(worker().program, program).expect("links");
    has_answered(&engine).await;
}

#[tokio::test]
async fn who_leaves_while_the_model_loads_is_forgotten() {
    let engine = on_demand(settings());
    let gone = engine.generate(story());
    reaches(&engine, |status| *status == WorkerStatus::Loading).await;
    drop(gone);
    // It would run for minutes if it ran.
    timeout(Duration::from_mins(1), has_answered(&engine))
        .await
        .expect("the worker is free");
}

#[tokio::test]
async fn nothing_is_unloaded_for_who_has_left() {
    let residency = Residency::new(Some(ROOM_FOR_ONE));
    let settings = || Settings {
        residency: residency.clone(),
        ..settings()
    };
    let (busy, other) = (on_demand(settings()), on_demand(settings()));
    let mut running = busy.generate(story());
    wait_for_text(&mut running).await;
    let gone = other.generate(request(QUESTION));
    reaches(&other, |status| *status == WorkerStatus::Waiting).await;
    drop(gone);
    is_unloaded(&other).await;
    let before = pid(&busy);
    drop(running);
    has_answered(&busy).await;
    assert_eq!(pid(&busy), before);
}

#[tokio::test]
async fn a_model_from_elsewhere_is_fetched_by_the_first_request() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let place = folder.path().join("fetched.gguf");
    let fetched = place.clone();
    let fetch = move || {
        if fs::exists(&fetched).map_err(|error| error.to_string())? {
            Ok(fetched.clone())
        } else {
            Err("the hub is away".to_owned())
        }
    };
    let engine = on_demand(Settings {
        model: Source::Elsewhere(std::sync::Arc::new(fetch)),
        name: "owner/name".to_owned(),
        ..settings()
    });
    assert_eq!((engine.name(), engine.info()), ("owner/name", None));
    let error = answer(&engine, request(QUESTION))
        .await
        .expect_err("it is not there");
    let reason = "the hub is away".to_owned();
    assert_eq!(error, EngineError::ModelNotFetched { reason });
    symlink(model(), &place).expect("links");
    has_answered(&engine).await;
    assert!(engine.info().is_some());
}
