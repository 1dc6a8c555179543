//! What the fuzz targets in `tests/fuzz` reach beyond the public interface.

use bytes::Bytes;
use deja_cache::{Endpoint, HeaderRules, Key, Keyed, KeyerChain};
use hyper::Request;

use crate::{Backends, PartitionBy, body::Outline, budget::Budget, decode::Call};

/// Returns the key of a request with this body and no headers, made without a keyer.
///
/// # Errors
/// Says why a client would get an error instead.
pub fn key(backends: &Backends, endpoint: Endpoint, body: Bytes) -> Result<Key, String> {
    let (head, ()) = Request::new(()).into_parts();
    let rules = HeaderRules::default();
    let share = Budget::default().share(body.len());
    let call = Call::new(endpoint, head, rules, PartitionBy::ApiKey, share);
    let outline = Outline::of(&body);
    let asked = call.asked(body, outline, None);
    let asked = asked.map_err(|error| error.to_string())?;
    let route = backends.route(&asked.model).ok_or("no backend answers")?;
    let scope = call.scope(&asked, &route);
    let keyers = KeyerChain::new(Vec::new());
    match keyers.consult(call.key_request(&asked), scope).keyed {
        Keyed::Cache(ticket) => Ok(ticket.key),
        Keyed::Bypass(reason) => Err(reason.to_string()),
    }
}
