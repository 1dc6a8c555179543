//! The life of the worker process.

use std::{
    fs,
    os::{
        fd::OwnedFd,
        unix::{fs::symlink, net::UnixStream, process::ExitStatusExt},
    },
    process::Command,
    time::Duration,
};

use deja_engine::{Engine, EngineError, Settings, WorkerCommand, WorkerStatus};
use deja_wire::Event;
use rustix::process::Signal;

use crate::support::{answer, finish, model, request, start, story, worker};

fn pid(engine: &Engine) -> u32 {
    match engine.state().status {
        WorkerStatus::Running { pid, .. } => pid,
        other => panic!("the worker does not run: {other:?}"),
    }
}

fn kill(pid: u32) {
    let status = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(status.expect("`kill` starts").success());
}

#[tokio::test]
async fn a_killed_worker_loses_its_answers_and_is_replaced() {
    let engine = start().await;
    let (mut running, mut queued) = (engine.generate(story()), engine.generate(story()));
    assert!(matches!(
        running.next().await,
        Some(Ok(Event::Delta { .. }))
    ));
    let first_pid = pid(&engine);
    kill(first_pid);
    for generation in [&mut running, &mut queued] {
        let error = loop {
            match generation.next().await.expect("an answer has an end") {
                Ok(event) => assert!(matches!(event, Event::Delta { .. }), "{event:?}"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&error, EngineError::WorkerLost { reason } if reason.contains("signal: 9")),
            "{error}"
        );
        assert!(error.is_retryable());
        assert_eq!(generation.next().await, None);
    }
    let answer = answer(&engine, request("What is the capital of France?"))
        .await
        .expect("answers");
    assert_eq!(answer.text(), "The capital of France is Paris.");
    assert_ne!(pid(&engine), first_pid);
    assert_eq!(engine.state().restarts, 1);
}

#[tokio::test]
async fn dropping_a_generation_stops_it() {
    let engine = start().await;
    // Each would run for minutes, so that the last answer comes only if they are stopped.
    let mut running = engine.generate(story());
    let queued = engine.generate(story());
    assert!(matches!(
        running.next().await,
        Some(Ok(Event::Delta { .. }))
    ));
    drop((running, queued));
    let answer = tokio::time::timeout(
        Duration::from_mins(1),
        answer(&engine, request("What is the capital of France?")),
    );
    let answer = answer.await.expect("the worker is free").expect("answers");
    assert_eq!(answer.text(), "The capital of France is Paris.");
}

#[tokio::test]
async fn more_generations_than_may_wait_are_refused() {
    let mut settings = Settings::new(model(), worker());
    settings.max_waiting = 2;
    let engine = Engine::start(settings).await.expect("the engine starts");
    let question = || request("What is the capital of France?");
    let (running, mut waiting) = (engine.generate(story()), engine.generate(question()));
    let error = answer(&engine, question()).await.expect_err("is refused");
    assert!(matches!(error, EngineError::Busy { .. }), "{error}");
    assert!(error.is_retryable());
    // A place is free again when its generation is dropped, and when it has ended.
    drop(running);
    let next = engine.generate(question());
    while let Some(event) = waiting.next().await {
        event.expect("answers");
    }
    let last = engine.generate(question());
    for generation in [next, last] {
        let answer = finish(generation).await.expect("answers");
        assert_eq!(answer.text(), "The capital of France is Paris.");
    }
}

#[tokio::test]
async fn a_shutdown_ends_the_worker_and_its_answers() {
    let engine = start().await;
    let mut running = engine.generate(story());
    assert!(matches!(
        running.next().await,
        Some(Ok(Event::Delta { .. }))
    ));
    let pid = pid(&engine);
    engine.shutdown().await;
    assert_eq!(engine.state().status, WorkerStatus::Stopped);
    let alive = Command::new("kill").args(["-0", &pid.to_string()]).output();
    assert!(
        !alive.expect("`kill` starts").status.success(),
        "the worker lives on"
    );
    let last = loop {
        match running.next().await.expect("an answer has an end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(last, EngineError::WorkerLost { .. }), "{last}");
    let late = answer(&engine, request("Hello")).await;
    assert!(
        matches!(late, Err(EngineError::WorkerLost { .. })),
        "{late:?}"
    );
}

#[tokio::test]
async fn requests_wait_for_a_worker_only_so_long() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let program = folder.path().join("worker");
    let WorkerCommand {
        program: target,
        arguments,
    } = worker();
    symlink(&target, &program).expect("links");
    let mut settings = Settings::new(
        model(),
        WorkerCommand {
            program: program.clone(),
            arguments,
        },
    );
    settings.patience = Duration::from_millis(100);
    let engine = Engine::start(settings).await.expect("the engine starts");
    fs::remove_file(&program).expect("removes");
    kill(pid(&engine));
    // The first request may still have reached the old worker.
    let error = loop {
        match answer(&engine, request("Hello"))
            .await
            .expect_err("nobody answers")
        {
            EngineError::WorkerLost { .. } => {}
            other => break other,
        }
    };
    assert!(
        matches!(error, EngineError::WorkerUnavailable { .. }),
        "{error}"
    );
    // Each attempt fails at once, since the program is missing: from the third loss on there are waits.
    assert!(matches!(
        engine.state().status,
        WorkerStatus::Restarting {
            wait_seconds: 1..,
            ..
        }
    ));
    symlink(&target, &program).expect("links");
    let answered = loop {
        match answer(&engine, request("What is the capital of France?")).await {
            Err(EngineError::WorkerUnavailable { .. }) => {}
            other => break other.expect("answers"),
        }
    };
    assert_eq!(answered.text(), "The capital of France is Paris.");
}

#[test]
fn a_worker_ends_with_its_engine() {
    let (ours, theirs) = UnixStream::pair().expect("makes a pair");
    let WorkerCommand { program, arguments } = worker();
    let mut command = Command::new(program);
    command.args(arguments).stdin(OwnedFd::from(theirs));
    let mut worker = command.spawn().expect("starts");
    // The command holds the worker's end, too.
    drop((command, ours));
    // It kills itself, past the exit handlers; one that fails ends with a code.
    let ended_by = worker.wait().expect("ends").signal();
    assert_eq!(ended_by, Some(Signal::KILL.as_raw()));
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_told_apart() {
    let start = async |program: &str| {
        let worker = WorkerCommand {
            program: program.into(),
            arguments: Vec::new(),
        };
        Engine::start(Settings::new(model(), worker))
            .await
            .expect_err("is no worker")
    };
    for (program, reason) in [
        ("/bin/false", "exit status: 1"),
        ("/no/such/program", "No such file"),
    ] {
        match start(program).await {
            EngineError::WorkerStart { reason: found } => {
                assert!(found.contains(reason), "{found}");
            }
            other => panic!("{program}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_worker_that_loads_nothing_in_time_is_given_up() {
    let mut settings = Settings::new(model(), worker());
    settings.start_timeout = Duration::ZERO;
    let error = Engine::start(settings).await.expect_err("takes longer");
    assert_eq!(
        error,
        EngineError::StartTimeout {
            timeout: Duration::ZERO
        }
    );
}
