//! The request path, from top to bottom.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use deja_cache::{
    Boarding, BypassReason, Cache, CacheLimits, Endpoint, Entry, Flights, Key, Keyed, KeyerChain,
    Ledger, OutcomeKind, Permit, Stored, Ticket,
};
use deja_chat::{Answer, ChatRequest, Delivery, Event};
use deja_engine::EngineError;
use deja_policy::{PluginHost, Policies, Replacement};
use hyper::{Request, body::Incoming};
use tracing::debug;

use crate::{
    arrival::Arrival,
    backend::Backend,
    cache_status::CacheStatus,
    decode::{Call, decode},
    error::Error,
    reply::{self, Reply},
    settings::ProxySettings,
    tally::Tally,
};

/// How often a caller that joined a flight tries again when the flight fails.
const TRIES: usize = 3;

/// Answers requests: from the cache if it can, else from the model.
pub struct Proxy {
    settings: ProxySettings,
    keyers: ArcSwap<KeyerChain>,
    flights: Flights<EngineError>,
    pub(crate) cache: Cache,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) backend: Backend,
    pub(crate) plugins: ArcSwap<PluginHost>,
}

impl Proxy {
    /// A proxy with an empty cache.
    #[must_use]
    pub fn new(
        settings: ProxySettings,
        limits: CacheLimits,
        backend: Backend,
        plugins: Arc<PluginHost>,
        policies: Policies,
    ) -> Self {
        Self {
            settings,
            keyers: ArcSwap::from_pointee(KeyerChain::new(policies.keyers)),
            cache: Cache::new(limits, policies.eviction),
            flights: Flights::new(),
            ledger: Arc::new(Ledger::new(policies.stats)),
            backend,
            plugins: ArcSwap::new(plugins),
        }
    }

    pub(crate) async fn answer(
        self: &Arc<Self>,
        endpoint: Endpoint,
        http: Request<Incoming>,
    ) -> Result<Reply, Error> {
        let mut tally = Tally::start(self.ledger.clone());
        let call = decode(endpoint, http, &self.settings).await?;
        let ticket = match self.key(&call) {
            Keyed::Cache(ticket) => ticket,
            Keyed::Bypass(reason) => return self.bypass(&call, reason, tally).await,
        };
        tally.keyed(ticket.key);
        match self.cache.lookup(&ticket.key) {
            Some(entry) => Ok(hit(&entry, ticket.key, call.delivery, tally)),
            None => self.coalesce(&call, ticket, tally).await,
        }
    }

    fn key(&self, call: &Call) -> Keyed {
        let partition = call.partition(self.settings.partition);
        self.keyers.load().key(call.key_request(), partition)
    }

    /// Fetches the answer, or joins whoever fetches it already.
    async fn coalesce(
        self: &Arc<Self>,
        call: &Call,
        ticket: Ticket,
        mut tally: Tally,
    ) -> Result<Reply, Error> {
        let request = self.backend.prepare(call)?;
        let key = ticket.key;
        let mut tries = 0..TRIES;
        loop {
            let (flight, joined) = match self.flights.board(key, || self.cache.lookup(&key)) {
                Boarding::Landed(entry) => return Ok(hit(&entry, key, call.delivery, tally)),
                Boarding::Join(flight) => (flight, true),
                Boarding::Lead(permit, flight) => {
                    self.lead(permit, request.clone(), Some(ticket.clone()));
                    (flight, false)
                }
            };
            let arrival = Arrival::of(flight, call.delivery, self.backend.model()).await;
            match arrival {
                // Whoever leads gets its own error; the others try for themselves.
                Err(_) if joined && tries.next().is_some() => {}
                Err(error) => return Err(error.into()),
                Ok(arrival) => {
                    let stored = arrival.is_stored();
                    let (kind, status) = if joined {
                        (OutcomeKind::Coalesced, CacheStatus::Collapsed { key })
                    } else {
                        (OutcomeKind::Miss, CacheStatus::Miss { key, stored })
                    };
                    tally.fetched(kind);
                    return Ok(reply::with_status(arrival.reply(tally), &status));
                }
            }
        }
    }

    /// Asks the model, the cache left out.
    async fn bypass(
        self: &Arc<Self>,
        call: &Call,
        reason: BypassReason,
        mut tally: Tally,
    ) -> Result<Reply, Error> {
        let request = self.backend.prepare(call)?;
        let (permit, flight) = self.flights.alone();
        self.lead(permit, request, None);
        let arrival = Arrival::of(flight, call.delivery, self.backend.model()).await?;
        tally.fetched(OutcomeKind::Bypass);
        Ok(reply::with_status(
            arrival.reply(tally),
            &CacheStatus::Bypass { reason },
        ))
    }

    /// Leads a flight, in a task of its own: the client may leave.
    fn lead(
        self: &Arc<Self>,
        permit: Permit<EngineError>,
        request: ChatRequest,
        ticket: Option<Ticket>,
    ) {
        let proxy = self.clone();
        tokio::spawn(async move {
            match proxy.fetch(&permit, request, ticket).await {
                Ok(Landing::Whole(stored)) => permit.end(Ok(stored)),
                Ok(Landing::GivenUp) => drop(permit),
                Err(error) => permit.end(Err(error)),
            }
        });
    }

    async fn fetch(
        self: &Arc<Self>,
        permit: &Permit<EngineError>,
        request: ChatRequest,
        ticket: Option<Ticket>,
    ) -> Result<Landing, EngineError> {
        let started = Instant::now();
        let ticket = ticket.filter(|ticket| ticket.store);
        let mut generation = self.backend.generate(request);
        let mut events = Vec::new();
        loop {
            let next = tokio::select! {
                next = generation.next() => next,
                () = permit.deserted(), if ticket.is_none() => return Ok(Landing::GivenUp),
            };
            let Some(event) = next.transpose()? else {
                return Ok(Landing::GivenUp);
            };
            events.push(event.clone());
            if matches!(event, Event::Text(_)) {
                permit.tell(event);
                continue;
            }
            // Stored before anybody sees the end, so that who asks again then gets a hit.
            let stored = self.store(ticket, events, started.elapsed()).await;
            permit.tell(event);
            return Ok(Landing::Whole(stored));
        }
    }

    /// Stores a whole answer, off the threads that serve: the eviction policy takes its time.
    async fn store(
        self: &Arc<Self>,
        ticket: Option<Ticket>,
        events: Vec<Event>,
        cost: Duration,
    ) -> Option<Stored> {
        let ticket = ticket?;
        let answer = Answer::from_events(self.backend.model(), events)?;
        let proxy = self.clone();
        let store = move || {
            let stored = proxy.cache.insert(&ticket, answer, cost);
            debug!(key = %ticket.key, ?stored, "an answer came in whole");
            stored
        };
        tokio::task::spawn_blocking(store).await.ok()
    }

    /// Puts policies in place that were loaded anew. Requests under way keep the old ones.
    pub fn replace(&self, replacement: Replacement) {
        match replacement {
            Replacement::Keyers(keyers) => self.keyers.store(Arc::new(KeyerChain::new(keyers))),
            Replacement::Eviction(eviction) => self.cache.replace_eviction(eviction),
            Replacement::Stats(stats) => self.ledger.replace(stats),
        }
    }

    /// Puts another host's policies in place of all that are there.
    pub fn install(&self, plugins: Arc<PluginHost>, policies: Policies) {
        self.replace(Replacement::Keyers(policies.keyers));
        self.replace(Replacement::Eviction(policies.eviction));
        self.replace(Replacement::Stats(policies.stats));
        self.plugins.store(plugins);
    }

    /// Ends what the proxy runs.
    pub async fn shutdown(&self) {
        self.backend.shutdown().await;
    }
}

/// How a fetch ended, if it did not fail.
enum Landing {
    /// With a whole answer, and what became of it if it was to be stored.
    Whole(Option<Stored>),
    /// Before the answer was whole: nobody waited for it any more, or nothing more came.
    GivenUp,
}

/// A reply from the cache.
fn hit(entry: &Entry, key: Key, delivery: Delivery, mut tally: Tally) -> Reply {
    tally.hit(entry);
    let status = CacheStatus::Hit {
        key,
        time_left: entry.time_left(),
    };
    reply::with_status(reply::kept(entry, delivery), &status)
}
