//! A request that was looked into, and the work on it, which a large one has done beside the
//! threads that serve.

use std::sync::Arc;

use deja_cache::{BypassReason, Consultation, Endpoint, Keyed, Recalled};
use tokio::task::spawn_blocking;

use crate::{
    backend::Route,
    conversations::{Conversations, Keeping, input_items},
    decode::{Asked, Call},
    error::Error,
    rules::Rules,
};

/// The field that names the response which a request continues.
const PREVIOUS: &str = "previous_response_id";

/// Fields of a request for a response that refer to what only an upstream can keep.
const STATEFUL: [&str; 2] = ["background", "conversation"];

/// A request that was looked into, and where it goes.
pub(crate) struct Looked {
    pub(crate) rules: Arc<Rules>,
    pub(crate) call: Arc<Call>,
    pub(crate) asked: Asked,
    pub(crate) route: Route,
}

impl Looked {
    /// Finds who answers a request if the cache does not, and what was said before it where it
    /// continues a response that is kept here.
    ///
    /// # Errors
    /// Nobody answers for the model, or nobody has the response.
    pub(crate) fn new(
        rules: Arc<Rules>,
        call: Arc<Call>,
        asked: Asked,
        conversations: &Conversations,
    ) -> Result<Self, Error> {
        let Some(route) = rules.backends.route(&asked.model) else {
            return Err(Error::UnknownModel(asked.model));
        };
        let mut looked = Self {
            rules,
            call,
            asked,
            route,
        };
        if looked.call.endpoint == Endpoint::Responses {
            looked.continue_response(conversations)?;
        }
        Ok(looked)
    }

    /// Puts what was said before in the place of the response's id. An id that is not kept here is
    /// left to an upstream that keeps responses itself.
    fn continue_response(&mut self, conversations: &Conversations) -> Result<(), Error> {
        let Some(id) = self.asked.body[PREVIOUS].as_str() else {
            return Ok(());
        };
        let limits = &self.rules.settings.conversations;
        let Some(previous) = conversations.find(self.call.tenant(), id, limits) else {
            if self.route.to.backend.keeps_responses() != Some(false) {
                return Ok(());
            }
            return Err(Error::UnknownResponse {
                id: id.to_owned(),
                field: Some(PREVIOUS),
            });
        };
        let input = previous.continued(&self.asked.body["input"]);
        self.asked.replace(|body| {
            body.shift_remove(PREVIOUS);
            body.insert("input".to_owned(), input.into());
        });
        Ok(())
    }

    /// Returns what keeps the response, if the client may continue it and the upstream is not known
    /// to keep it.
    pub(crate) fn keeping(&self, conversations: &Arc<Conversations>) -> Option<Keeping> {
        self.may_be_continued().then(|| Keeping {
            conversations: conversations.clone(),
            limits: self.rules.settings.conversations,
            tenant: self.call.tenant(),
            input: input_items(&self.asked.body["input"]),
        })
    }

    /// Returns whether the answer is a response that can only be continued if it is kept here.
    fn may_be_continued(&self) -> bool {
        self.call.endpoint == Endpoint::Responses
            && self.asked.body["store"] != false
            && self.route.to.backend.keeps_responses() != Some(true)
    }

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
        if let Keyed::Cache(ticket) = &consultation.keyed
            // To keep a response takes more of the request than its key.
            && !self.may_be_continued()
        {
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

    /// Asks the keyers for the request's key. What an upstream would answer from its own state has
    /// none: the same request may be another question the next time.
    pub(crate) fn keyed(&self) -> Consultation {
        let body = &self.asked.body;
        let refers = |name: &&&str| !body[**name].is_null() && body[**name] != false;
        if self.call.endpoint == Endpoint::Responses
            && let Some(name) = STATEFUL.iter().find(refers)
        {
            return Consultation::bypassed(BypassReason::Stateful(name));
        }
        let scope = self.call.scope(&self.asked, &self.route);
        let request = self.call.key_request(&self.asked);
        self.rules.keyers.consult(request, scope)
    }
}
