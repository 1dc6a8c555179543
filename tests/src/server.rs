//! One running server, in a folder of its own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
};

use reqwest::{Client, Method, RequestBuilder, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, api::Api, client::client_builder, log::Log, memory};

/// A variable that `cargo xtask` sets for tests and benchmarks.
#[must_use]
pub fn required(variable: &str) -> OsString {
    std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} is not set: run this by `cargo xtask`"))
}

/// A folder with a configuration, before the server is started in it.
pub struct Setup {
    folder: TempDir,
    environment: BTreeMap<&'static str, OsString>,
    log_bytes: usize,
    reads_log: bool,
    own_group: bool,
}

impl Setup {
    /// A folder with these settings besides the tests' own: a free port, and a plugin folder.
    #[must_use]
    pub fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let environment = [
            ("DEJA_HOME", required("DEJA_HOME")),
            ("DEJA_LOG", "debug".into()),
        ];
        let setup = Self {
            folder,
            environment: environment.into(),
            log_bytes: usize::MAX,
            reads_log: true,
            own_group: false,
        };
        fs::create_dir(setup.plugins()).expect("the plugin folder can be made");
        setup.configure(settings);
        setup
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.insert(variable, value.into());
        self
    }

    /// Throws the log away, as that of a server under load grows too long to keep.
    #[must_use]
    pub fn without_log(self) -> Self {
        self.log_at_most(0)
    }

    /// Keeps no more than the last part of the log, of so many bytes.
    #[must_use]
    pub fn log_at_most(mut self, bytes: usize) -> Self {
        self.log_bytes = bytes;
        self
    }

    /// Leaves the log unread, so that the server can write only as much as a pipe takes.
    #[must_use]
    pub fn with_stuck_log(mut self) -> Self {
        self.reads_log = false;
        self
    }

    /// Runs the server in a process group of its own, so that Ctrl-C does not reach it.
    #[must_use]
    pub fn in_own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Writes the settings anew, with a free port if they name none.
    pub fn configure(&self, settings: &str) {
        const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\n";
        let settings = if settings.contains("listen = ") {
            settings.to_owned()
        } else if settings.contains("[server]\n") {
            settings.replacen("[server]\n", SERVER, 1)
        } else {
            format!("{SERVER}{settings}")
        };
        fs::write(self.config(), settings).expect("the file can be written");
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("deja.toml")
    }

    /// The plugin folder.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Puts a component from `cargo xtask plugins` into the plugin folder, under another name if
    /// wanted, in one step as `mv` does it.
    pub fn drop_plugin(&self, component: &str, name: &str) {
        self.drop_file(name, &built(component));
    }

    /// Puts a file `name.wasm` into the plugin folder in one step.
    pub fn drop_file(&self, name: &str, bytes: &[u8]) {
        let part = self.plugins().join(format!("{name}.part"));
        fs::write(&part, bytes).expect("the file can be written");
        fs::rename(part, self.plugins().join(format!("{name}.wasm"))).expect("it can be renamed");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(required("DEJA_BIN"));
        command.envs(&self.environment);
        command
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .current_dir(self.folder.path());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts a server that is expected to end by itself, and waits for that.
    pub async fn run_to_end(&self) -> Output {
        let output = timeout(PATIENCE, self.command().output()).await;
        output
            .expect("deja ends by itself")
            .expect("deja can be started")
    }

    /// Starts the server and waits until it listens.
    pub async fn start(self) -> Deja {
        let mut command = self.command();
        if self.log_bytes == 0 {
            command.stderr(Stdio::null());
        }
        if self.own_group {
            command.process_group(0);
        }
        let mut child = command.spawn().expect("deja can be started");
        let stderr = child.stderr.take_if(|_| self.reads_log);
        let log = stderr.map(|stderr| Log::follow(stderr, self.log_bytes));
        let log = log.unwrap_or_default();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let line = timeout(PATIENCE, stdout.lines().next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten().unwrap_or_default();
        let Some((_, url)) = line.split_once(" on ") else {
            panic!("deja did not start: {line}\n{}", log.text());
        };
        Deja {
            url: url.to_owned(),
            setup: self,
            child,
            log,
            client: client(),
        }
    }
}

/// A client that takes bodies as they come.
fn client() -> Client {
    let plain = client_builder()
        .no_gzip()
        .no_deflate()
        .no_brotli()
        .no_zstd();
    let patient = plain.timeout(PATIENCE);
    patient.build().expect("a client can be made")
}

/// A component as `cargo xtask plugins` made it.
#[must_use]
pub fn built(component: &str) -> Vec<u8> {
    let file = Path::new(&required("DEJA_PLUGINS")).join(format!("{component}.wasm"));
    fs::read(&file).unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()))
}

/// A component that does the same as the one from `cargo xtask plugins` and is not the same; each
/// number makes another one.
#[must_use]
pub fn variant(component: &str, number: u8) -> Vec<u8> {
    deja_guests::variant(&built(component), number)
}

/// A running server. Its drop kills it.
pub struct Deja {
    url: String,
    setup: Setup,
    child: Child,
    log: Log,
    client: Client,
}

impl Deja {
    /// A server with the standard settings.
    pub async fn start() -> Self {
        Setup::new("").start().await
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Its address, like `http://127.0.0.1:4321`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// A request to be completed and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A bare connection, for those who do not keep to HTTP.
    pub async fn connect(&self) -> TcpStream {
        let address = self.url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await;
        stream.expect("the server listens")
    }

    /// Gets what is at a path.
    pub async fn get(&self, path: &str) -> Response {
        let request = self.request(Method::GET, path);
        request.send().await.expect("the server answers")
    }

    /// Posts a document.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, path).json(body);
        request.send().await.expect("the server answers")
    }

    /// Posts a request for an answer in one of the APIs.
    pub async fn send(&self, api: Api, body: &Value) -> Response {
        self.post(api.path(), body).await
    }

    /// Asks a question in one of the APIs; gives its `Cache-Status` with the answer's text.
    pub async fn answer(&self, api: Api, content: &str) -> (String, String) {
        let reply = self.send(api, &api.question(content)).await;
        let status = cache_status(&reply);
        let answer = whole(reply).await;
        (status, api.text(&answer).to_owned())
    }

    /// Posts a chat request.
    pub async fn chat(&self, body: &Value) -> Response {
        self.send(Api::OpenAi, body).await
    }

    /// Posts a chat request whose answer is a JSON document; gives its `Cache-Status` with it.
    pub async fn ask(&self, body: &Value) -> (String, Value) {
        let reply = self.chat(body).await;
        assert_eq!(reply.status(), 200, "{}", self.log());
        (
            cache_status(&reply),
            reply.json().await.expect("the answer is JSON"),
        )
    }

    /// The document at `/health`.
    pub async fn health(&self) -> Value {
        let reply = self.get("/health").await;
        reply.json().await.expect("health is JSON")
    }

    /// The sum of the samples at `/metrics` whose name and labels start like this.
    pub async fn sample(&self, start: &str) -> f64 {
        let metrics = self.get("/metrics").await.text().await;
        let metrics = metrics.expect("the metrics come");
        let samples = metrics.lines().filter(|line| line.starts_with(start));
        let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }

    /// Waits until `/health` is as wanted. It is looked at whenever the server logs something.
    pub async fn wait_for(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut log = self.log.0.clone();
        let wait = async {
            loop {
                log.mark_unchanged();
                let health = self.health().await;
                if is_so(&health) || log.changed().await.is_err() {
                    return health;
                }
            }
        };
        let health = timeout(PATIENCE, wait)
            .await
            .ok()
            .filter(|health| is_so(health));
        health.unwrap_or_else(|| panic!("{what} did not come:\n{}", self.log()))
    }

    /// Waits until the server has logged this.
    pub async fn wait_for_log(&self, words: &str) {
        let mut log = self.log.0.clone();
        let logged = timeout(PATIENCE, log.wait_for(|text| text.contains(words))).await;
        assert!(
            matches!(logged, Ok(Ok(_))),
            "no `{words}` in:\n{}",
            self.log()
        );
    }

    /// The server's process.
    #[must_use]
    pub fn process(&self) -> Pid {
        pid(self.child.id())
    }

    /// The memory that the server holds, in MiB.
    #[must_use]
    pub fn resident(&self) -> f64 {
        memory::resident(self.process())
    }

    /// How many files the server has open; nothing where the system does not show them.
    #[must_use]
    pub fn descriptors(&self) -> Option<usize> {
        memory::descriptors(self.process())
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("the server runs");
    }

    /// The worker process.
    pub async fn worker(&self) -> Pid {
        let worker = self.health().await["backend"]["worker"]["pid"].as_u64();
        pid(worker.and_then(|pid| pid.try_into().ok()))
    }

    /// Sends the worker process a signal.
    pub async fn signal_worker(&self, signal: Signal) {
        kill_process(self.worker().await, signal).expect("the worker runs");
    }

    /// Waits until the server has ended by itself, and all that it started with it: they share its
    /// standard error.
    pub async fn ended(self) -> ExitStatus {
        self.ended_with_log().await.0
    }

    /// Waits as [`Self::ended`] does, and returns all that the server has logged, too.
    pub async fn ended_with_log(mut self) -> (ExitStatus, String) {
        let ended = async {
            while self.log.0.changed().await.is_ok() {}
            self.child.wait().await
        };
        let Ok(status) = timeout(PATIENCE, ended).await else {
            panic!("something goes on:\n{}", self.log())
        };
        let status = status.expect("the server can be waited for");
        (status, self.log())
    }
}

fn pid(id: Option<u32>) -> Pid {
    let id = id.and_then(|id| Pid::from_raw(id.try_into().ok()?));
    id.expect("the process runs")
}

/// The document of a successful reply.
pub async fn whole(reply: Response) -> Value {
    let status = reply.status();
    let body = reply.text().await.expect("the answer comes");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("the answer is JSON")
}

/// What the cache did, as the reply tells it.
#[must_use]
pub fn cache_status(reply: &Response) -> String {
    let status = reply
        .headers()
        .get("cache-status")
        .map(|status| status.to_str());
    status
        .transpose()
        .expect("it is text")
        .unwrap_or_default()
        .to_owned()
}
