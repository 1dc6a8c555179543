//! Which request goes where.

use std::sync::Arc;

use deja_cache::Endpoint;
use deja_wire::{Api, openai};
use hyper::{HeaderMap, Method, Request, body::Incoming, header::ORIGIN};
use percent_encoding::percent_decode_str;
use tracing::{info, warn};

use crate::{
    admin, backend, cors,
    error::Error,
    health,
    hosts::Ends,
    pass_through::pass_through,
    pipeline::Proxy,
    reply::{self, Reply},
    responses,
};

/// What a path leads to.
enum Place {
    Endpoint(Endpoint),
    Models,
    /// One model, by its name.
    Model(String),
    /// A response, by its id, or a part of it.
    Response(String, responses::Part),
    Health,
    Metrics,
    Root,
    /// Something below `/admin`.
    Admin,
    Nowhere,
}

impl Place {
    /// Finds a path, with or without the version of the API in front.
    fn of(path: &str) -> Self {
        let bare = path.strip_prefix("/v1").unwrap_or(path);
        if let Some(endpoint) = endpoint(bare) {
            return Self::Endpoint(endpoint);
        }
        match bare {
            "/models" => return Self::Models,
            "/health" => return Self::Health,
            "/metrics" => return Self::Metrics,
            "/" | "" => return Self::Root,
            _ => {}
        }
        if let Some(name) = bare.strip_prefix("/models/") {
            return Self::Model(percent_decode_str(name).decode_utf8_lossy().into_owned());
        }
        if let Some(place) = bare.strip_prefix("/responses/").and_then(Self::response) {
            return place;
        }
        if path == "/admin" || path.starts_with("/admin/") {
            return Self::Admin;
        }
        Self::Nowhere
    }

    /// Finds what stands below `/responses/`.
    fn response(below: &str) -> Option<Self> {
        match below.split_once('/') {
            None if !below.is_empty() => {
                Some(Self::Response(below.to_owned(), responses::Part::Whole))
            }
            Some((id, "input_items")) => {
                Some(Self::Response(id.to_owned(), responses::Part::InputItems))
            }
            _ => None,
        }
    }

    /// The API in whose shape errors are told: the endpoint's, or that which the caller shows.
    fn api(&self, path: &str, headers: &HeaderMap) -> Api {
        let bare = path.strip_prefix("/v1").unwrap_or(path);
        match self {
            Self::Endpoint(endpoint) => endpoint.api(),
            _ if headers.contains_key("anthropic-version") => Api::Anthropic,
            Self::Nowhere if bare.starts_with("/messages") => Api::Anthropic,
            _ => Api::OpenAi,
        }
    }

    fn takes(&self, method: &Method) -> bool {
        let mut methods = self.methods().split(", ");
        methods.any(|taken| taken == method.as_str())
    }

    /// The methods that it takes.
    fn methods(&self) -> &'static str {
        match self {
            Self::Endpoint(_) => "POST",
            Self::Root | Self::Models | Self::Model(_) | Self::Health | Self::Metrics => {
                "GET, HEAD"
            }
            Self::Response(_, responses::Part::Whole) => "GET, DELETE",
            Self::Response(_, responses::Part::InputItems) => "GET",
            Self::Admin => "GET, POST, DELETE",
            Self::Nowhere => "",
        }
    }
}

/// The endpoint at a path without the version.
fn endpoint(bare: &str) -> Option<Endpoint> {
    Endpoint::ALL
        .into_iter()
        .find(|endpoint| endpoint.path().strip_prefix("/v1") == Some(bare))
}

/// Answers any request on a connection between these two; errors become replies here.
pub(crate) async fn route(proxy: &Arc<Proxy>, request: Request<Incoming>, ends: Ends) -> Reply {
    let place = Place::of(request.uri().path());
    if matches!(place, Place::Admin) {
        // No web page may look in here: no answer to a preflight, no permission.
        return admin::answer(proxy, request, ends).await;
    }
    if let Err(error) = permit(proxy, request.headers(), ends) {
        return reply::error(&error, place.api(request.uri().path(), request.headers()));
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let mut reply = if request.method() == Method::OPTIONS {
        cors::preflight(request.headers())
    } else {
        served(proxy, &place, request).await
    };
    if origin.is_some() {
        let rules = proxy.rules.load();
        cors::allow(&mut reply, origin.as_ref(), &rules.settings.cors);
    }
    reply
}

/// Refuses requests of pages that may not call, by their origin or by the name that they call.
fn permit(proxy: &Proxy, headers: &HeaderMap, ends: Ends) -> Result<(), Error> {
    let rules = proxy.rules.load();
    if !ends.allow(headers, &rules.settings.hosts) {
        return Err(Error::Forbidden(
            "this server is not called by this name: see `server.hosts`",
        ));
    }
    match headers.get(ORIGIN) {
        Some(origin) if !cors::allows(&rules.settings.cors, origin) => Err(Error::Forbidden(
            "pages of this origin may not call: see `server.cors_origins`",
        )),
        _ => Ok(()),
    }
}

async fn served(proxy: &Arc<Proxy>, place: &Place, request: Request<Incoming>) -> Reply {
    let responds = matches!(
        place,
        Place::Endpoint(Endpoint::Responses) | Place::Response(..)
    );
    if responds && responses::wants_web_socket(request.headers()) {
        return reply::error(&Error::UpgradeRefused, Api::Responses);
    }
    // What a call for an answer came to is logged with its outcome.
    if let (Place::Endpoint(endpoint), &Method::POST) = (place, request.method()) {
        let answered = proxy.answer(*endpoint, request).await;
        return answered.unwrap_or_else(|error| reply::error(&error, endpoint.api()));
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let api = place.api(&path, request.headers());
    let answered = match place {
        Place::Nowhere => pass_through(proxy, api, request).await,
        Place::Response(id, part) if place.takes(&method) => {
            responses::answer(proxy, request, id, part).await
        }
        _ => look_up(proxy, place, &request).await,
    };
    answered.unwrap_or_else(|error| {
        let status = error.status().as_u16();
        if error.status().is_server_error() {
            warn!(%method, path, status, error = error.to_string(), "failed");
        } else {
            info!(%method, path, status, error = error.to_string(), "refused");
        }
        reply::error(&error, api)
    })
}

/// All that is asked for by GET.
async fn look_up(
    proxy: &Proxy,
    place: &Place,
    request: &Request<Incoming>,
) -> Result<Reply, Error> {
    let method = match request.method() {
        &Method::HEAD => &Method::GET,
        method => method,
    };
    match (place, method) {
        (Place::Root, &Method::GET) => Ok(reply::empty()),
        (Place::Health, &Method::GET) => Ok(reply::json(health::health(proxy).to_string().into())),
        (Place::Metrics, &Method::GET) => Ok(reply::metrics(health::metrics(proxy))),
        (Place::Models, &Method::GET) => {
            let models = models(proxy, request).await?;
            Ok(reply::json(openai::models(&models).into()))
        }
        (Place::Model(name), &Method::GET) => {
            let models = models(proxy, request).await?;
            let model = models.iter().find(|model| model.id == *name);
            let unknown = || Error::UnknownModel(name.clone());
            let model = model.ok_or_else(unknown)?;
            Ok(reply::json(openai::model(model).into()))
        }
        (place, _) => Err(Error::MethodNotAllowed {
            path: request.uri().path().to_owned(),
            allowed: place.methods(),
        }),
    }
}

async fn models(proxy: &Proxy, request: &Request<Incoming>) -> Result<Vec<openai::Offer>, Error> {
    let rules = proxy.rules.load_full();
    let timeout = rules.settings.models_timeout;
    backend::models(&rules.backends, request.headers(), timeout)
        .await
        .map_err(Error::Fetch)
}
