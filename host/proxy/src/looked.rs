//! A request that was looked into, and the work on it, which a large one has done beside the
//! threads that serve.

use std::sync::Arc;

use deja_cache::{Consultation, Keyed, Recalled};
use tokio::task::spawn_blocking;

use crate::{
    backend::Route,
    decode::{Asked, Call},
    error::Error,
    rules::Rules,
};

/// A request that was looked into, and where it goes.
pub(crate) struct Looked {
    pub(crate) rules: Arc<Rules>,
    pub(crate) call: Arc<Call>,
    pub(crate) asked: Asked,
    pub(crate) route: Route,
}

impl Looked {
    /// Does work on the request, beside the threads that serve if it is large.
    pub(crate) async fn beside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if !self.asked.body.is_large() {
            return Ok(work(self));
        }
        let looked = self.clone();
        spawn_blocking(move || work(&looked))
            .await
            .map_err(|_| Error::Abandoned)
    }

    /// Asks the keyers for the request's key, which is remembered.
    pub(crate) fn consult(&self) -> Consultation {
        let consultation = self.keyed();
        if let Keyed::Cache(ticket) = &consultation.keyed {
            let recalled = Recalled {
                key: ticket.key,
                delivery: self.asked.delivery,
            };
            let headers_read = consultation.headers_read.clone();
            let memo = &self.rules.memo;
            memo.remember(self.call.digest, recalled, headers_read);
        }
        consultation
    }

    /// Asks the keyers for the request's key.
    pub(crate) fn keyed(&self) -> Consultation {
        let scope = self.call.scope(&self.asked, &self.route);
        let request = self.call.key_request(&self.asked);
        self.rules.keyers.consult(request, scope)
    }
}
