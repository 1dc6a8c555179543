//! How a request is answered by a backend.

use std::sync::Arc;

use deja_cache::{Endpoint, ScopePart, Tenant, Ticket};
use deja_wire::Delivery;

use crate::{
    arrival::{Arrival, Waits},
    backend::{AnswerLimits, Order, Route},
    budget::Share,
    directives::Directives,
    error::Error,
    fetch::{self, Fetch},
    looked::Looked,
    pipeline::Proxy,
    rules::Rules,
    settings::ProxySettings,
    tenants::{TenantPlace, TenantPlaces},
    via,
};

/// What it takes to have a request answered by a backend. Its body is not part of it: parsed, that
/// is many times what came, and an answer can take minutes.
pub(crate) struct Plan {
    rules: Arc<Rules>,
    endpoint: Endpoint,
    pub(crate) delivery: Delivery,
    pub(crate) directives: Directives,
    route: Route,
    order: Order,
    tenant: Option<Tenant>,
    /// The choices or embeddings that the request wants.
    parts: usize,
    /// What besides its body keeps the request apart from others; empty where it is not held.
    scope: Box<[ScopePart]>,
    /// What the order holds of the memory for bodies.
    body: Arc<Share>,
}

impl Plan {
    pub(crate) fn new(looked: &Looked) -> Result<Self, Error> {
        let Looked {
            rules,
            call,
            asked,
            route,
        } = looked;
        if via::is_ours(&call.headers.map) {
            return Err(Error::Loop);
        }
        let scope = rules
            .settings
            .keep_requests
            .then(|| call.named_scope(route));
        Ok(Self {
            scope: scope.unwrap_or_default(),
            rules: rules.clone(),
            endpoint: call.endpoint,
            delivery: asked.delivery,
            directives: call.directives,
            order: Order::new(route, call, asked)?,
            route: route.clone(),
            tenant: call.tenant(),
            parts: call.endpoint.parts(&asked.body),
            body: call.held.clone(),
        })
    }

    /// The fetch, if there is a place for one more.
    pub(crate) fn fetch(&self, proxy: &Arc<Proxy>, ticket: Option<Ticket>) -> Result<Fetch, Error> {
        let settings = &self.rules.settings;
        let limit = settings.max_fetches;
        let place = proxy.metrics.admit_fetch(limit);
        let budgets = &proxy.budgets;
        Ok(Fetch {
            proxy: proxy.clone(),
            backend: self.route.to.clone(),
            endpoint: self.endpoint,
            order: self.order.clone(),
            _body: self.body.clone(),
            ticket: ticket.filter(|ticket| ticket.store),
            parts: self.parts,
            limits: AnswerLimits::new(settings, &budgets.answers, &budgets.parsed),
            keeps_requests: settings.keep_requests,
            scope: self.scope.clone(),
            tenant: self.tenant,
            _place: place.ok_or(Error::Busy { limit })?,
            _tenant_place: share(&proxy.fetching, self.tenant, settings, limit)?,
        })
    }

    pub(crate) async fn arrival(&self, flight: fetch::Follower) -> Result<Arrival, Error> {
        let settings = &self.rules.settings;
        let waits = Waits {
            head: settings.head_timeout,
            keep_alive: settings.keep_alive,
        };
        Arrival::of(flight, self.delivery, self.endpoint.api(), waits).await
    }
}

/// Takes one of a tenant's places, of which there are `all` together.
pub(crate) fn share(
    places: &TenantPlaces,
    tenant: Option<Tenant>,
    settings: &ProxySettings,
    all: usize,
) -> Result<Option<TenantPlace>, Error> {
    let (Some(tenant), Some(share)) = (tenant, settings.max_share) else {
        return Ok(None);
    };
    let limit = usize::try_from(share.of(all as u64)).unwrap_or(all);
    let place = places.take(tenant, limit);
    place.map(Some).ok_or(Error::ShareTaken { limit })
}
