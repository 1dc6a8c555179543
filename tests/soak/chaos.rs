//! What else is done to the server while it answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deja_tests::Deja;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    oracle::Oracle,
    plugins::{self, Plugin},
    reply::causes,
    settings::{self, Change, Upstreams},
    tally::Tally,
};

/// The time between two operations.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a hostile plugin stays.
const HOSTILITY: Duration = Duration::from_secs(4);

/// The time between two kills of the worker: a third within a minute would make the next start wait.
const BETWEEN_KILLS: Duration = Duration::from_mins(5);

/// How long the server may take for an operation.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bodies that are refused, with the path they are posted to and the status they get.
const REFUSED: [(&str, &str, u16); 5] = [
    ("/v1/chat/completions", "{\"messages\":", 400),
    ("/v1/messages", "[1, 2]", 400),
    (
        "/v1/messages",
        "{\"model\": \"nobody\", \"max_tokens\": 1, \"messages\": []}",
        404,
    ),
    (
        "/v1/chat/completions",
        "{\"model\": \"nobody\", \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}",
        404,
    ),
    ("/admin/nothing", "{}", 404),
];

/// Does things to the server.
pub(crate) struct Chaos {
    pub(crate) deja: Arc<Deja>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) tally: Arc<Tally>,
}

type Done = Result<(), String>;

impl Chaos {
    /// Does one thing after the other.
    pub(crate) async fn run(&self, seed: u64) {
        let mut draw = StdRng::seed_from_u64(seed);
        let mut killed = Instant::now();
        loop {
            sleep(PAUSE).await;
            if killed.elapsed() > BETWEEN_KILLS {
                killed = Instant::now();
                self.note("kill the worker", self.kill_worker()).await;
            }
            self.act(&mut draw).await;
        }
    }

    async fn act(&self, draw: &mut StdRng) {
        match draw.random_range(0..20) {
            0..4 => {
                let plugin = plugins::good(draw);
                self.drop("drop a plugin", &plugin);
            }
            4..7 => self.hostile(draw).await,
            7..10 => {
                let settings = self.upstreams.settings(Change::draw(draw));
                self.deja.setup().configure(&settings);
                self.tally.operation("change the configuration", Ok(()));
            }
            10..12 => {
                self.deja.setup().configure(settings::broken(draw));
                self.tally.operation("break the configuration", Ok(()));
            }
            12 if draw.random_bool(0.3) => self.note("purge all", self.purge("")).await,
            13 if draw.random_bool(0.5) => {
                let models = ["?model=oa-small", "?model=an-large", "?model=engine"];
                let model = models[draw.random_range(0..models.len())];
                self.note("purge a model", self.purge(model)).await;
            }
            12..15 => self.note("purge an answer", self.purge_one()).await,
            15..17 => {
                let bad = REFUSED[draw.random_range(0..REFUSED.len())];
                self.note("send a bad request", self.refuse(bad)).await;
            }
            17 => self.note("read /health", self.get("/health")).await,
            18 => self.note("read /metrics", self.get("/metrics")).await,
            _ => self.note("read /v1/models", self.get("/v1/models")).await,
        }
    }

    async fn note(&self, name: &'static str, operation: impl Future<Output = Done>) {
        let done = timeout(PATIENCE, operation).await;
        let done = done.unwrap_or_else(|_| Err("it took too long".to_owned()));
        self.tally.operation(name, done);
    }

    /// Puts a hostile plugin in its place, and a good one some time later.
    async fn hostile(&self, draw: &mut StdRng) {
        let plugin = plugins::hostile(draw);
        self.drop("drop a hostile plugin", &plugin);
        sleep(HOSTILITY).await;
        for standard in plugins::standard() {
            if standard.name == plugin.name {
                self.drop("replace a hostile plugin", &standard);
            }
        }
    }

    fn drop(&self, operation: &'static str, plugin: &Plugin) {
        self.deja.setup().drop_file(plugin.name, &plugin.bytes);
        self.tally.operation(operation, Ok(()));
    }

    async fn get(&self, path: &str) -> Done {
        self.ask(Method::GET, path, "", 200).await.map(drop)
    }

    async fn purge(&self, query: &str) -> Done {
        let path = format!("/admin/cache{query}");
        self.ask(Method::DELETE, &path, "", 200).await.map(drop)
    }

    /// Removes one of the answers that are held. It may be gone by then.
    async fn purge_one(&self) -> Done {
        let list = self
            .ask(Method::GET, "/admin/cache?limit=20", "", 200)
            .await?;
        let list: Value = serde_json::from_str(&list).map_err(|error| error.to_string())?;
        let Some(key) = list["entries"][0]["key"].as_str() else {
            return Ok(());
        };
        let request = self
            .deja
            .request(Method::DELETE, &format!("/admin/cache/{key}"));
        let reply = request.send().await.map_err(|error| causes(&error))?;
        match reply.status().as_u16() {
            200 | 404 => Ok(()),
            status => Err(format!("{status}")),
        }
    }

    async fn refuse(&self, (path, body, status): (&str, &str, u16)) -> Done {
        let said = self.ask(Method::POST, path, body, status).await?;
        let document: Value = serde_json::from_str(&said).map_err(|error| error.to_string())?;
        match document["error"]["message"].as_str() {
            Some(_) => Ok(()),
            None => Err(said),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &str,
        wanted: u16,
    ) -> Result<String, String> {
        let request = self.deja.request(method, path).body(body.to_owned());
        let reply = request.send().await.map_err(|error| causes(&error))?;
        let status = reply.status().as_u16();
        let text = reply.text().await.map_err(|error| causes(&error))?;
        if status == wanted {
            Ok(text)
        } else {
            Err(format!("{path}: {status} instead of {wanted}: {text}"))
        }
    }

    /// Kills the worker, if it runs at the moment.
    async fn kill_worker(&self) -> Done {
        let health = self.ask(Method::GET, "/health", "", 200).await?;
        let health: Value = serde_json::from_str(&health).map_err(|error| error.to_string())?;
        let backends = health["backends"].as_array().into_iter().flatten();
        let mut pids = backends.filter_map(|backend| backend["worker"]["pid"].as_i64());
        let pid = pids
            .next()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let Some(pid) = pid else {
            return Ok(());
        };
        self.oracle.killed();
        kill_process(pid, Signal::KILL).map_err(|error| error.to_string())
    }
}
