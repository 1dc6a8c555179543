//! The request path, from top to bottom.

use std::sync::Arc;

use arc_swap::ArcSwap;
use deja_cache::{
    Boarding, BypassReason, Cache, CacheLimits, Consultation, Endpoint, Entry, Flights, Key, Keyed,
    KeyerChain, Ledger, OutcomeKind, Recalled, ScopePart, Ticket,
};
use deja_chat::Delivery;
use deja_policy::{PluginHost, Policies, Replacement};
use deja_trace::Recorder;
use hyper::{Request, body::Incoming};
use tracing_appender::non_blocking::ErrorCounter;

use crate::{
    arrival::Arrival,
    backend::{Backends, FetchError, Order, Route},
    cache_status::CacheStatus,
    decode::{Asked, Call},
    directives::Directives,
    error::Error,
    fetch::{self, Fetch, Landing, Progress},
    metrics::Metrics,
    reply::{self, Reply},
    rules::Rules,
    settings::ProxySettings,
    tally::Tally,
    via,
};

/// How often a caller that joined a flight tries again when the flight fails.
const TRIES: usize = 3;

/// Answers requests: from the cache if it can, else from a backend.
pub struct Proxy {
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) cache: Cache,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) plugins: ArcSwap<PluginHost>,
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// Counts the lines that the log has dropped, where it may drop any.
    pub(crate) dropped_lines: Option<ErrorCounter>,
    flights: Flights<Progress, Landing, FetchError>,
}

/// What a request is answered with.
enum Answered {
    /// An answer that was held.
    Found(Arc<Entry>, Recalled),
    /// One that a backend gives.
    Coming(Arrival, CacheStatus),
}

/// What it takes to have a request answered by a backend. Its body is not part of it: parsed, that
/// is many times what came, and an answer can take minutes.
struct Plan {
    rules: Arc<Rules>,
    endpoint: Endpoint,
    delivery: Delivery,
    directives: Directives,
    route: Route,
    order: Order,
    /// What besides its body keeps the request apart from others; empty where it is not held.
    scope: Box<[ScopePart]>,
}

impl Proxy {
    /// A proxy with an empty cache. With a recorder all that becomes of its requests is recorded.
    #[must_use]
    pub fn new(
        settings: ProxySettings,
        limits: CacheLimits,
        backends: Backends,
        plugins: Arc<PluginHost>,
        policies: Policies,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        let keyers = KeyerChain::new(policies.keyers);
        Self {
            rules: ArcSwap::from_pointee(Rules::new(settings, keyers, backends)),
            cache: Cache::new(limits, policies.eviction),
            flights: Flights::new(),
            ledger: Arc::new(Ledger::new(policies.stats)),
            metrics: Arc::new(Metrics::new()),
            plugins: ArcSwap::new(plugins),
            recorder,
            dropped_lines: None,
        }
    }

    /// Shows in `/health` and `/metrics` how many lines the log has dropped.
    #[must_use]
    pub fn counting_dropped_lines(self, dropped: ErrorCounter) -> Self {
        Self {
            dropped_lines: Some(dropped),
            ..self
        }
    }

    pub(crate) async fn answer(
        self: &Arc<Self>,
        endpoint: Endpoint,
        http: Request<Incoming>,
    ) -> Result<Reply, Error> {
        let rules = self.rules.load_full();
        let (ledger, metrics) = (self.ledger.clone(), self.metrics.clone());
        let mut tally = Tally::start(ledger, metrics, self.recorder.clone(), endpoint);
        match self.find(rules, endpoint, http, &mut tally).await {
            Ok(Answered::Found(entry, recalled)) => {
                let (reply, bytes) = hit(&entry, recalled);
                tally.hit(&entry, bytes);
                Ok(reply)
            }
            Ok(Answered::Coming(arrival, status)) => {
                Ok(reply::with_status(arrival.reply(tally), &status))
            }
            Err(error) => {
                tally.refused(&error);
                Err(error)
            }
        }
    }

    /// Finds an answer, or has one made.
    async fn find(
        self: &Arc<Self>,
        rules: Arc<Rules>,
        endpoint: Endpoint,
        http: Request<Incoming>,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        tally.admit(rules.settings.max_requests)?;
        let call = Call::read(endpoint, http, &rules.settings).await?;
        tally.received(&call);
        if let Some(recalled) = rules.memo.recall(&call.digest, &*call.headers)
            && let Some(entry) = self.lookup(&call.directives, &recalled.key)
        {
            tally.keyed(recalled.key);
            return Ok(Answered::Found(entry, recalled));
        }
        let asked = call.parse().await?;
        let Some(route) = rules.backends.route(&asked.model) else {
            return Err(Error::UnknownModel(asked.model));
        };
        tally.routed(&route.to);
        let Consultation { keyed, edits, .. } = consult(&rules, &call, &asked, &route);
        tally.edited(edits);
        if let Keyed::Cache(ticket) = &keyed {
            tally.keyed(ticket.key);
            if let Some(entry) = self.lookup(&call.directives, &ticket.key) {
                let delivery = asked.delivery;
                let key = ticket.key;
                return Ok(Answered::Found(entry, Recalled { key, delivery }));
            }
        }
        if call.directives.only_if_cached {
            return Err(Error::NotCached);
        }
        let plan = Plan::new(rules, route, &call, &asked)?;
        drop((call, asked));
        match keyed {
            Keyed::Bypass(reason) => self.bypass(&plan, reason, tally).await,
            Keyed::Cache(ticket) if plan.directives.is_special() => {
                self.refresh(&plan, ticket, tally).await
            }
            Keyed::Cache(ticket) => self.coalesce(&plan, ticket, tally).await,
        }
    }

    fn lookup(&self, directives: &Directives, key: &Key) -> Option<Arc<Entry>> {
        if directives.no_cache {
            return None;
        }
        self.cache.lookup(key, directives.max_age)
    }

    /// Fetches the answer, or joins whoever fetches it already.
    async fn coalesce(
        self: &Arc<Self>,
        plan: &Plan,
        ticket: Ticket,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        let key = ticket.key;
        let mut tries = 0..TRIES;
        loop {
            let (flight, joined) = match self.flights.board(key, || self.cache.peek(&key)) {
                Boarding::Landed(entry) => {
                    self.cache.used(&entry);
                    let delivery = plan.delivery;
                    return Ok(Answered::Found(entry, Recalled { key, delivery }));
                }
                Boarding::Join(flight) => (flight, true),
                Boarding::Lead(permit, flight) => {
                    fetch::lead(permit, plan.fetch(self, Some(ticket.clone()))?);
                    (flight, false)
                }
            };
            match plan.arrival(flight).await {
                // Whoever leads gets its own error; the others try for themselves.
                Err(_) if joined && tries.next().is_some() => {}
                Err(error) => return Err(error),
                Ok(arrival) if joined => {
                    tally.answered(OutcomeKind::Coalesced);
                    let arrival = arrival.without_headers();
                    return Ok(Answered::Coming(arrival, CacheStatus::Collapsed { key }));
                }
                Ok(arrival) => {
                    tally.answered(OutcomeKind::Miss);
                    let stored = arrival.is_stored();
                    return Ok(Answered::Coming(arrival, CacheStatus::Miss { key, stored }));
                }
            }
        }
    }

    /// Fetches an answer for one who wants a new one, or none stored: nobody shares it.
    async fn refresh(
        self: &Arc<Self>,
        plan: &Plan,
        ticket: Ticket,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        let key = ticket.key;
        let ticket = Some(ticket).filter(|_| !plan.directives.no_store);
        let arrival = self.fetch_alone(plan, ticket).await?;
        tally.answered(OutcomeKind::Miss);
        let stored = arrival.is_stored();
        Ok(Answered::Coming(
            arrival,
            CacheStatus::Request { key, stored },
        ))
    }

    /// Asks the backend, the cache left out.
    async fn bypass(
        self: &Arc<Self>,
        plan: &Plan,
        reason: BypassReason,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        let arrival = self.fetch_alone(plan, None).await?;
        tally.answered(OutcomeKind::Bypass);
        Ok(Answered::Coming(arrival, CacheStatus::Bypass { reason }))
    }

    async fn fetch_alone(
        self: &Arc<Self>,
        plan: &Plan,
        ticket: Option<Ticket>,
    ) -> Result<Arrival, Error> {
        let (permit, flight) = self.flights.alone();
        fetch::lead(permit, plan.fetch(self, ticket)?);
        plan.arrival(flight).await
    }

    /// Puts policies in place that were loaded anew. Requests under way keep the old ones.
    pub fn replace(&self, replacement: Replacement) {
        match replacement {
            Replacement::Keyers(keyers) => {
                let keyers = KeyerChain::new(keyers);
                self.rules.rcu(|rules| rules.with_keyers(keyers.clone()));
            }
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

    /// Goes by other settings, limits and backends from the next request on.
    pub fn reconfigure(&self, settings: &ProxySettings, limits: CacheLimits, backends: &Backends) {
        self.rules
            .rcu(|rules| rules.with_settings(settings.clone(), backends.clone()));
        self.cache.set_limits(limits);
    }

    /// Forgets the answers that have outlived their time; returns how many.
    pub fn sweep(&self) -> usize {
        self.cache.sweep()
    }

    /// Ends what the proxy runs.
    pub async fn shutdown(&self) {
        let rules = self.rules.load_full();
        for routed in rules.backends.iter() {
            routed.backend.shutdown().await;
        }
    }
}

/// Asks the keyers for the request's key, which is remembered.
fn consult(rules: &Rules, call: &Call, asked: &Asked, route: &Route) -> Consultation {
    let scope = call.scope(asked, route);
    let consultation = rules.keyers.consult(call.key_request(asked), scope);
    if let Keyed::Cache(ticket) = &consultation.keyed {
        let recalled = Recalled {
            key: ticket.key,
            delivery: asked.delivery,
        };
        let headers_read = consultation.headers_read.clone();
        rules.memo.remember(call.digest, recalled, headers_read);
    }
    consultation
}

impl Plan {
    fn new(rules: Arc<Rules>, route: Route, call: &Call, asked: &Asked) -> Result<Self, Error> {
        if via::is_ours(&call.headers.map) {
            return Err(Error::Loop);
        }
        let scope = rules
            .settings
            .keep_requests
            .then(|| call.named_scope(&route));
        Ok(Self {
            scope: scope.unwrap_or_default(),
            rules,
            endpoint: call.endpoint,
            delivery: asked.delivery,
            directives: call.directives,
            order: Order::new(&route, call, asked)?,
            route,
        })
    }

    /// The fetch, if there is a place for one more.
    fn fetch(&self, proxy: &Arc<Proxy>, ticket: Option<Ticket>) -> Result<Fetch, Error> {
        let settings = &self.rules.settings;
        let limit = settings.max_fetches;
        let place = proxy.metrics.admit_fetch(limit);
        Ok(Fetch {
            proxy: proxy.clone(),
            backend: self.route.to.clone(),
            endpoint: self.endpoint,
            order: self.order.clone(),
            ticket: ticket.filter(|ticket| ticket.store),
            limit: settings.max_answer_bytes,
            keeps_requests: settings.keep_requests,
            scope: self.scope.clone(),
            _place: place.ok_or(Error::Busy { limit })?,
        })
    }

    async fn arrival(&self, flight: fetch::Follower) -> Result<Arrival, Error> {
        let keep_alive = self.rules.settings.keep_alive;
        Arrival::of(flight, self.delivery, self.endpoint.api(), keep_alive).await
    }
}

/// A reply from the cache, and the bytes of its body.
fn hit(entry: &Entry, recalled: Recalled) -> (Reply, usize) {
    let status = CacheStatus::Hit {
        key: recalled.key,
        time_left: entry.time_left(),
    };
    let (reply, bytes) = reply::kept(entry, recalled.delivery);
    (reply::with_status(reply, &status), bytes)
}
