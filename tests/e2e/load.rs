//! Clients that keep a server busy while something else is done to it.

use std::cell::Cell;

use deja_tests::{Answer, Api, Asked, Deja, Setup, Upstream, eventually, streamed, variant, whole};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::watch;

/// The API of the upstream, and of those questions that hostile keyers misbehave for.
pub(crate) const API: Api = Api::Anthropic;

/// How many answers the server holds: fewer than there are questions, so that it has to evict.
pub(crate) const ENTRIES: usize = 20;

/// Questions that are asked in turn.
const QUESTIONS: usize = 30;

/// Questions that are asked again and again.
const FAVOURITES: usize = 5;

/// What each client speaks, and whether it wants streams.
const CLIENTS: [(Api, bool); 8] = [
    (Api::Anthropic, false),
    (Api::Anthropic, true),
    (Api::OpenAi, false),
    (Api::OpenAi, true),
    (Api::Anthropic, false),
    (Api::Anthropic, true),
    (Api::Anthropic, false),
    (Api::Anthropic, true),
];

/// A server before an upstream that answers each question in its own words.
pub(crate) async fn server(settings: &str) -> (Upstream, Deja) {
    let script = |asked: &Asked| {
        let content = &asked.json()["messages"][0]["content"];
        let translated = || content[0]["text"].as_str();
        let question = content.as_str().or_else(translated);
        let answer = answer_to(question.expect("it is a text"));
        API.reply(asked, &Answer::text(&answer))
    };
    let upstream = Upstream::start(script).await;
    let cache = format!("[cache]\nmax_entries = {ENTRIES}\n");
    let settings = [&upstream.backend(API), &cache, settings].concat();
    let deja = Setup::new(&settings).start().await;
    (upstream, deja)
}

fn answer_to(question: &str) -> String {
    format!("The answer to {question}")
}

/// What `/health` tells of the plugin of a kind.
pub(crate) fn plugin<'a>(health: &'a Value, kind: &str) -> &'a Value {
    let plugins = health["plugins"].as_array().expect("plugins are listed");
    let mut of_kind = plugins.iter().filter(|plugin| plugin["kind"] == kind);
    of_kind.next().expect("each kind is there")
}

/// Puts a component in the place of a standard one, and waits until it is at work.
pub(crate) async fn swap(deja: &Deja, kind: &str, name: &str, component: &[u8]) {
    deja.setup().drop_file(name, component);
    wait_for_loaded(deja, kind, component).await;
}

/// Puts one that does the same in the place of a standard component, and waits until it is at work.
pub(crate) async fn refresh(deja: &Deja, kind: &str, name: &str, number: u8) {
    swap(deja, kind, name, &variant(name, number)).await;
}

/// Waits until a component is at work.
pub(crate) async fn wait_for_loaded(deja: &Deja, kind: &str, component: &[u8]) {
    let hash = blake3::hash(component).to_string();
    let is_loaded = async || plugin(&deja.health().await, kind)["blake3"] == *hash;
    eventually(&format!("the new {kind}"), is_loaded).await;
}

/// Clients that ask, and want the right answer each time.
pub(crate) struct Load<'a> {
    deja: &'a Deja,
    answered: watch::Sender<usize>,
    is_over: Cell<bool>,
}

impl<'a> Load<'a> {
    /// Has clients ask a server for as long as the work takes; tells how many answers they got.
    pub(crate) async fn during(deja: &'a Deja, work: impl AsyncFnOnce(&Self)) -> usize {
        let load = Self {
            deja,
            answered: watch::Sender::new(0),
            is_over: Cell::new(false),
        };
        let clients = CLIENTS.iter().enumerate();
        let clients = clients.map(|(number, &(api, streams))| load.client(number, api, streams));
        let work = async {
            work(&load).await;
            load.is_over.set(true);
        };
        tokio::join!(join_all(clients), work);
        load.answered.borrow().to_owned()
    }

    async fn client(&self, number: usize, api: Api, streams: bool) {
        let mut turn = number;
        while !self.is_over.get() {
            turn += 1;
            let among = [QUESTIONS, FAVOURITES][turn % 2];
            self.ask(api, streams, &question(turn / 2 % among)).await;
            self.answered.send_modify(|answered| *answered += 1);
        }
    }

    async fn ask(&self, api: Api, streams: bool, question: &str) {
        let answer = if streams {
            let body = api.streamed_question(question);
            let stream = streamed(self.deja.send(api, &body).await).await;
            assert!(stream.is_whole, "{stream:?}\n{}", self.deja.log());
            stream.text()
        } else {
            let reply = self.deja.send(api, &api.question(question)).await;
            api.text(&whole(reply).await).to_owned()
        };
        assert_eq!(answer, answer_to(question), "{}", self.deja.log());
    }

    /// Waits until the clients got so many more answers.
    pub(crate) async fn answers(&self, more: usize) {
        let mut answered = self.answered.subscribe();
        let enough = *answered.borrow() + more;
        let came = answered.wait_for(|&answered| answered >= enough).await;
        came.expect("the clients are there");
    }
}

/// A question that begins with a character of two bytes.
fn question(number: usize) -> String {
    format!("Ärger {number}?")
}
