//! The request path, from top to bottom.

use std::sync::Arc;

use arc_swap::ArcSwap;
use deja_cache::{
    Boarding, BypassReason, Cache, CacheLimits, Endpoint, Entry, Flights, Key, Keyed, KeyerChain,
    Ledger, OutcomeKind, Recalled, Ticket,
};
use deja_policy::{PluginHost, Policies, Replacement};
use hyper::{Request, body::Incoming};

use crate::{
    arrival::Arrival,
    backend::{Backends, FetchError, Order, Route},
    cache_status::CacheStatus,
    decode::{Asked, Call},
    error::Error,
    fetch::{self, Fetch, Landing, Progress},
    metrics::Metrics,
    reply::{self, Reply},
    rules::Rules,
    settings::ProxySettings,
    tally::Tally,
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
    flights: Flights<Progress, Landing, FetchError>,
}

/// What a request is answered with.
enum Answered {
    /// An answer that was held.
    Found(Arc<Entry>, Recalled),
    /// One that a backend gives.
    Coming(Arrival, CacheStatus),
}

/// A request on its way, and all that is known of it.
struct Journey<'a> {
    rules: &'a Rules,
    call: &'a Call,
    asked: &'a Asked,
    route: Route,
}

impl Proxy {
    /// A proxy with an empty cache.
    #[must_use]
    pub fn new(
        settings: ProxySettings,
        limits: CacheLimits,
        backends: Backends,
        plugins: Arc<PluginHost>,
        policies: Policies,
    ) -> Self {
        let keyers = KeyerChain::new(policies.keyers);
        Self {
            rules: ArcSwap::from_pointee(Rules::new(settings, keyers, backends)),
            cache: Cache::new(limits, policies.eviction),
            flights: Flights::new(),
            ledger: Arc::new(Ledger::new(policies.stats)),
            metrics: Arc::new(Metrics::new()),
            plugins: ArcSwap::new(plugins),
        }
    }

    pub(crate) async fn answer(
        self: &Arc<Self>,
        endpoint: Endpoint,
        http: Request<Incoming>,
    ) -> Result<Reply, Error> {
        let rules = self.rules.load_full();
        let mut tally = Tally::start(self.ledger.clone(), self.metrics.clone(), endpoint);
        match self.find(&rules, endpoint, http, &mut tally).await {
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
        rules: &Rules,
        endpoint: Endpoint,
        http: Request<Incoming>,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        tally.admit(rules.settings.max_requests)?;
        let call = Call::read(endpoint, http, &rules.settings).await?;
        if let Some(recalled) = rules.memo.recall(&call.digest, &*call.headers)
            && let Some(entry) = self.lookup(&call, &recalled.key)
        {
            tally.keyed(recalled.key);
            return Ok(Answered::Found(entry, recalled));
        }
        let asked = call.parse()?;
        let Some(route) = rules.backends.route(&asked.model) else {
            return Err(Error::UnknownModel(asked.model));
        };
        let journey = Journey {
            rules,
            call: &call,
            asked: &asked,
            route,
        };
        let ticket = match journey.key() {
            Keyed::Cache(ticket) => ticket,
            Keyed::Bypass(reason) => return self.bypass(&journey, reason, tally).await,
        };
        tally.keyed(ticket.key);
        match self.lookup(&call, &ticket.key) {
            Some(entry) => Ok(Answered::Found(entry, journey.recalled(ticket.key))),
            None if call.directives.only_if_cached => Err(Error::NotCached),
            None if call.directives.is_special() => self.refresh(&journey, ticket, tally).await,
            None => self.coalesce(&journey, ticket, tally).await,
        }
    }

    fn lookup(&self, call: &Call, key: &Key) -> Option<Arc<Entry>> {
        if call.directives.no_cache {
            return None;
        }
        self.cache.lookup(key, call.directives.max_age)
    }

    /// Fetches the answer, or joins whoever fetches it already.
    async fn coalesce(
        self: &Arc<Self>,
        journey: &Journey<'_>,
        ticket: Ticket,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        let order = journey.order()?;
        let key = ticket.key;
        let mut tries = 0..TRIES;
        loop {
            let (flight, joined) = match self.flights.board(key, || self.lookup(journey.call, &key))
            {
                Boarding::Landed(entry) => {
                    return Ok(Answered::Found(entry, journey.recalled(key)));
                }
                Boarding::Join(flight) => (flight, true),
                Boarding::Lead(permit, flight) => {
                    let fetch = journey.fetch(self, order.clone(), Some(ticket.clone()));
                    fetch::lead(permit, fetch);
                    (flight, false)
                }
            };
            match journey.arrival(flight).await {
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
        journey: &Journey<'_>,
        ticket: Ticket,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        let key = ticket.key;
        let ticket = Some(ticket).filter(|_| !journey.call.directives.no_store);
        let arrival = self.fetch_alone(journey, ticket).await?;
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
        journey: &Journey<'_>,
        reason: BypassReason,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        if journey.call.directives.only_if_cached {
            return Err(Error::NotCached);
        }
        let arrival = self.fetch_alone(journey, None).await?;
        tally.answered(OutcomeKind::Bypass);
        Ok(Answered::Coming(arrival, CacheStatus::Bypass { reason }))
    }

    async fn fetch_alone(
        self: &Arc<Self>,
        journey: &Journey<'_>,
        ticket: Option<Ticket>,
    ) -> Result<Arrival, Error> {
        let (permit, flight) = self.flights.alone();
        fetch::lead(permit, journey.fetch(self, journey.order()?, ticket));
        journey.arrival(flight).await
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

impl Journey<'_> {
    /// The request's key, which is remembered.
    fn key(&self) -> Keyed {
        let request = self.call.key_request(self.asked);
        let scope = self.call.scope(self.asked, &self.route);
        let consultation = self.rules.keyers.consult(request, scope);
        if let Keyed::Cache(ticket) = &consultation.keyed {
            self.rules.memo.remember(
                self.call.digest,
                self.recalled(ticket.key),
                consultation.headers_read,
            );
        }
        consultation.keyed
    }

    fn recalled(&self, key: Key) -> Recalled {
        Recalled {
            key,
            delivery: self.asked.delivery,
        }
    }

    fn order(&self) -> Result<Order, Error> {
        Order::new(&self.route, self.call, self.asked)
    }

    fn fetch(&self, proxy: &Arc<Proxy>, order: Order, ticket: Option<Ticket>) -> Fetch {
        Fetch {
            proxy: proxy.clone(),
            backend: self.route.to.clone(),
            endpoint: self.call.endpoint,
            order,
            ticket: ticket.filter(|ticket| ticket.store),
            limit: self.rules.settings.max_answer_bytes,
            keeps_requests: self.rules.settings.keep_requests,
        }
    }

    async fn arrival(&self, flight: fetch::Follower) -> Result<Arrival, Error> {
        let keep_alive = self.rules.settings.keep_alive;
        Arrival::of(flight, self.asked.delivery, self.call.api(), keep_alive).await
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
