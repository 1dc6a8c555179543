//! What a benchmark comes to, for machines and as the source of the text for people.

use std::collections::BTreeMap;

use deja_wire::Api;
use serde::Serialize;

use super::{
    load::Loaded,
    request::Shape,
    rounds::{Measured, Phase, Settings},
    series::Summary,
    target::Target,
    verdict::{Verdict, speed_up},
};
use crate::{
    live::{Live, Outcomes},
    units::real,
};

/// The result of a benchmark in rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was asked.
    pub settings: Settings,
    /// What each server did.
    pub servers: Vec<ServerReport>,
}

/// What one server did.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReport {
    /// Who was asked.
    #[serde(flatten)]
    pub server: Asked,
    /// What came of each shape.
    pub shapes: Vec<ShapeReport>,
    /// What the server itself counted meanwhile, if it is Deja.
    pub statistics: Option<Statistics>,
    /// Whether its cache works.
    pub verdict: Verdict,
}

/// Who was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The server.
    pub url: String,
    /// The API.
    pub api: &'static str,
    /// The model.
    pub model: String,
}

/// What came of requests of one shape.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeReport {
    /// The shape.
    pub shape: Shape,
    /// What came of each phase.
    pub phases: Vec<PhaseReport>,
    /// How many times as long a first answer takes as a repeated one, on average.
    pub speed_up: Option<f64>,
    /// The same for the first token.
    pub first_token_speed_up: Option<f64>,
    /// All answers to what was asked for the first time.
    pub cold: Summary,
    /// All answers to what was asked again.
    pub warm: Summary,
}

/// What came of one phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    /// The phase.
    pub phase: Phase,
    /// What came of it.
    #[serde(flatten)]
    pub summary: Summary,
}

/// The result of a load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// What each server did.
    pub servers: Vec<ServerLoad>,
    /// Records of the trace that were of no use.
    pub skipped: u64,
}

/// What one server did under load.
#[derive(Clone, Debug, Serialize)]
pub struct ServerLoad {
    /// Who was asked.
    #[serde(flatten)]
    pub server: Asked,
    /// Seconds from the start to the last answer.
    pub seconds: f64,
    /// Answers a second.
    pub rate: f64,
    /// All requests.
    pub all: Summary,
    /// The same by what the cache did.
    pub by_cache: BTreeMap<&'static str, Summary>,
    /// What the server itself counted meanwhile, if it is Deja.
    pub statistics: Option<Statistics>,
}

/// What a server counted between two moments.
#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    /// Its version.
    pub version: String,
    /// Requests.
    pub requests: Outcomes,
    /// Answers that had to leave.
    pub evictions: u64,
    /// Answers that are held at the end.
    pub entries: u64,
    /// Bytes that are held at the end.
    pub bytes: u64,
}

/// What a server said of itself before and after; none where it is not Deja.
pub(crate) type Watched = (Option<Live>, Option<Live>);

impl Report {
    pub(crate) fn of(
        settings: &Settings,
        targets: &[Target],
        measured: &[Vec<Measured>],
        watched: &[Watched],
    ) -> Self {
        let servers = targets.iter().zip(measured).zip(watched);
        let server =
            |((target, measured), (before, after)): ((&Target, &Vec<Measured>), &Watched)| {
                ServerReport::of(
                    Asked::of(target),
                    &settings.shapes,
                    measured,
                    (before, after),
                )
            };
        Self {
            settings: settings.clone(),
            servers: servers.map(server).collect(),
        }
    }
}

impl ServerReport {
    pub(crate) fn of(
        server: Asked,
        shapes: &[Shape],
        measured: &[Measured],
        (before, after): (&Option<Live>, &Option<Live>),
    ) -> Self {
        let mut all = Measured::default();
        for of_shape in measured {
            all.merge(of_shape);
        }
        let shapes = shapes.iter().zip(measured);
        Self {
            server,
            shapes: shapes
                .map(|(shape, measured)| ShapeReport::of(*shape, measured))
                .collect(),
            statistics: Statistics::between(before.as_ref(), after.as_ref()),
            verdict: Verdict::judge(&all, before.as_ref(), after.as_ref()),
        }
    }
}

impl Asked {
    pub(crate) fn of(target: &Target) -> Self {
        Self {
            url: target.url().to_owned(),
            api: match target.api() {
                Api::OpenAi => "openai",
                Api::Responses => "responses",
                Api::Anthropic => "anthropic",
            },
            model: target.model().to_owned(),
        }
    }
}

impl ShapeReport {
    fn of(shape: Shape, measured: &Measured) -> Self {
        let (cold, warm) = (measured.cold(), measured.warm());
        let phase = |phase| PhaseReport {
            phase,
            summary: measured.phase(phase).summary(),
        };
        Self {
            shape,
            phases: Phase::ALL.map(phase).into(),
            speed_up: speed_up(cold.mean_latency(), warm.mean_latency()),
            first_token_speed_up: speed_up(cold.mean_first_token(), warm.mean_first_token()),
            cold: cold.summary(),
            warm: warm.summary(),
        }
    }
}

impl ServerLoad {
    pub(crate) fn of(server: Asked, loaded: &Loaded, (before, after): &Watched) -> Self {
        let all = loaded.all();
        let seconds = loaded.took.as_secs_f64();
        let answers = all
            .summary()
            .histogram
            .iter()
            .map(|bucket| bucket.count)
            .sum::<u64>();
        Self {
            server,
            seconds,
            rate: if seconds > 0.0 {
                real(answers) / seconds
            } else {
                0.0
            },
            all: all.summary(),
            by_cache: loaded
                .outcomes
                .iter()
                .map(|(name, series)| (*name, series.summary()))
                .collect(),
            statistics: Statistics::between(before.as_ref(), after.as_ref()),
        }
    }
}

impl Statistics {
    fn between(before: Option<&Live>, after: Option<&Live>) -> Option<Self> {
        let (before, after) = (before?, after?);
        Some(Self {
            version: after.version.clone(),
            requests: after.requests.since(before.requests),
            evictions: after.evictions.saturating_sub(before.evictions),
            entries: after.entries,
            bytes: after.bytes,
        })
    }
}
