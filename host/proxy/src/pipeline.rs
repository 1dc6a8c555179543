//! The request path, from top to bottom.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use deja_cache::{
    Boarding, BypassReason, Cache, CacheLimits, Consultation, Endpoint, Entry, Flights, Floor, Key,
    Keyed, KeyerChain, Ledger, OutcomeKind, Recalled, Tenant, Ticket,
};
use deja_policy::{PluginHost, Policies, Replacement};
use deja_trace::Recorder;
use hyper::{Request, body::Incoming};
use tracing_appender::non_blocking::ErrorCounter;

use crate::{
    arrival::Arrival,
    backend::{Backends, FetchError},
    budget::Budget,
    cache_status::CacheStatus,
    conversations::Conversations,
    decode::Call,
    directives::Directives,
    error::Error,
    fetch::{self, Landing, Progress},
    looked::Looked,
    metrics::Metrics,
    plan::{self, Plan},
    reply::{self, Reply},
    rules::Rules,
    settings::ProxySettings,
    tally::Tally,
    tenants::{TenantPlace, TenantPlaces},
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
    pub(crate) budgets: Budgets,
    pub(crate) conversations: Arc<Conversations>,
    running: TenantPlaces,
    pub(crate) fetching: TenantPlaces,
    flights: Flights<Progress, Landing, FetchError>,
}

/// The memory that is taken by what is under way.
#[derive(Default)]
pub(crate) struct Budgets {
    /// By the bodies of requests, as they came.
    pub(crate) bodies: Budget,
    /// By the values of large bodies, while they are looked into.
    pub(crate) parsed: Budget,
    /// By answers, from their first byte until the last client has them.
    pub(crate) answers: Budget,
}

/// What a request is answered with.
enum Answered {
    /// An answer that was held.
    Found(Arc<Entry>, Recalled),
    /// One that a backend gives.
    Coming(Arrival, CacheStatus),
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
            budgets: Budgets::default(),
            conversations: Arc::default(),
            running: TenantPlaces::default(),
            fetching: TenantPlaces::default(),
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
        let floor = rules.floor;
        let (ledger, metrics) = (self.ledger.clone(), self.metrics.clone());
        let mut tally = Tally::start(ledger, metrics, self.recorder.clone(), endpoint);
        match self.find(rules, endpoint, http, &mut tally).await {
            Ok(Answered::Found(entry, recalled)) => {
                let (reply, body) = hit(&entry, recalled, floor);
                tally.hit(&entry, &body);
                Ok(reply)
            }
            Ok(Answered::Coming(arrival, status)) => {
                Ok(reply::with_status(arrival.reply(tally), &status, floor))
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
        let settings = &rules.settings;
        let call = Call::read(endpoint, http, settings, &self.budgets.bodies).await?;
        tally.admit(settings.max_requests)?;
        tally.keep(self.tenant_place(settings, call.tenant())?);
        tally.received(&call);
        if let Some(recalled) = rules.memo.recall(&call.digest, &*call.headers)
            && let Some(entry) = self.lookup(&call.directives, &recalled.key)
        {
            tally.keyed(recalled.key);
            return Ok(Answered::Found(entry, recalled));
        }
        let looked = self.look_into(rules, call).await?;
        tally.routed(&looked.route.to);
        if let Some(keeping) = looked.keeping(&self.conversations) {
            tally.keeping(keeping);
        }
        let Consultation { keyed, edits, .. } = looked.beside(Looked::consult).await?;
        tally.edited(edits);
        let directives = looked.call.directives;
        if let Keyed::Cache(ticket) = &keyed {
            tally.keyed(ticket.key);
            if let Some(entry) = self.lookup(&directives, &ticket.key) {
                let delivery = looked.asked.delivery;
                let key = ticket.key;
                return Ok(Answered::Found(entry, Recalled { key, delivery }));
            }
        }
        if directives.only_if_cached {
            return Err(Error::NotCached);
        }
        let plan = looked.beside(Plan::new).await??;
        drop(looked);
        match keyed {
            Keyed::Bypass(reason) => self.bypass(&plan, reason, tally).await,
            Keyed::Cache(ticket) if plan.directives.is_special() => {
                self.refresh(&plan, ticket, tally).await
            }
            Keyed::Cache(ticket) => self.coalesce(&plan, ticket, tally).await,
        }
    }

    /// Takes one of the caller's own places, where they are limited.
    pub(crate) fn tenant_place(
        &self,
        settings: &ProxySettings,
        tenant: Option<Tenant>,
    ) -> Result<Option<TenantPlace>, Error> {
        plan::share(&self.running, tenant, settings, settings.max_requests)
    }

    /// Looks into a request, and finds who answers it if the cache does not.
    async fn look_into(&self, rules: Arc<Rules>, call: Call) -> Result<Arc<Looked>, Error> {
        let call = Arc::new(call);
        let asked = call.parse(&rules.settings, &self.budgets.parsed).await?;
        Ok(Arc::new(Looked::new(
            rules,
            call,
            asked,
            &self.conversations,
        )?))
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
            let (flight, joined) = match self.flights.board(&self.cache, &ticket) {
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
        let pending = ticket.as_ref().map(|ticket| self.cache.begin_fetch(ticket));
        let (permit, flight) = self.flights.alone(pending);
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

    /// Goes by other settings, limits and backends from the next request on, and by another host's
    /// policies where there are some. No request sees new keyers beside old backends.
    pub fn reconfigure(
        &self,
        settings: &ProxySettings,
        limits: CacheLimits,
        backends: &Backends,
        plugins: Option<(Arc<PluginHost>, Policies)>,
    ) {
        let Some((plugins, policies)) = plugins else {
            self.rules
                .rcu(|rules| rules.with_settings(settings.clone(), backends.clone()));
            self.cache.set_limits(limits);
            return;
        };
        let keyers = KeyerChain::new(policies.keyers);
        let rules = Rules::new(settings.clone(), keyers, backends.clone());
        self.rules.store(Arc::new(rules));
        self.cache.set_limits(limits);
        self.replace(Replacement::Eviction(policies.eviction));
        self.replace(Replacement::Stats(policies.stats));
        self.plugins.store(plugins);
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

/// Returns a reply from the cache, and its body.
fn hit(entry: &Entry, recalled: Recalled, floor: Floor) -> (Reply, Bytes) {
    let status = CacheStatus::Hit {
        key: recalled.key,
        time_left: entry.time_left(),
    };
    let (reply, body) = reply::kept(entry, recalled.delivery);
    (reply::with_status(reply, &status, floor), body)
}
