//! What a plugin's instance can reach: the log, the request being keyed, and so much memory.

use std::sync::Arc;

use deja_cache::KeyRequest;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use wasmtime::component::Resource;
use wasmtime::{ResourceLimiter, Result, bail};

use crate::contract::CurrentRequest;
use crate::contract::http_request::{self, Role, Text};
use crate::contract::logging::{self, Level};
use crate::fault::LimitExceeded;
use crate::plugin_log::PluginLog;
use crate::settings::Limits;

/// The host's side of one instance.
pub(crate) struct Sandbox {
    /// The request of the call that is running; a keyer sees one at a time.
    request: Option<KeyRequest>,
    log: Arc<PluginLog>,
    usage: Usage,
    /// The same numbers in every instance.
    random: SmallRng,
    /// Random bytes that are given at once.
    most_random_bytes: usize,
}

impl Sandbox {
    pub(crate) fn new(log: Arc<PluginLog>, limits: &Limits) -> Self {
        Self {
            request: None,
            log,
            usage: Usage::new(limits),
            random: SmallRng::seed_from_u64(0),
            most_random_bytes: limits.result_bytes,
        }
    }

    /// Shows the instance a request, until [`hide_request`](Self::hide_request).
    pub(crate) fn show_request(&mut self, request: KeyRequest) -> Resource<CurrentRequest> {
        self.request = Some(request);
        Resource::new_borrow(0)
    }

    pub(crate) fn hide_request(&mut self) {
        self.request = None;
    }

    /// Bytes of memory that the instance holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.usage.memory_bytes
    }

    /// Writes what a guest prints, line by line, to its log.
    pub(crate) fn print(&self, level: Level, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.log.write(level, line);
        }
    }

    pub(crate) fn random_number(&mut self) -> u64 {
        self.random.random()
    }

    pub(crate) fn random_bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        let count = usize::try_from(count).ok();
        let Some(count) = count.filter(|&count| count <= self.most_random_bytes) else {
            bail!("too many random bytes are asked for");
        };
        let mut bytes = vec![0; count];
        self.random.fill(&mut bytes[..]);
        Ok(bytes)
    }

    /// The limits, as wasmtime asks for them.
    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.usage
    }
}

impl logging::Host for Sandbox {
    fn log(&mut self, level: Level, message: String) {
        self.log.write(level, &message);
    }
}

impl http_request::Host for Sandbox {}

impl http_request::HostRequest for Sandbox {
    fn endpoint(&mut self, _: Resource<CurrentRequest>) -> http_request::Endpoint {
        self.request
            .as_ref()
            .map_or(http_request::Endpoint::Other, |request| {
                request.endpoint.into()
            })
    }

    fn header(&mut self, _: Resource<CurrentRequest>, name: String) -> Option<String> {
        let request = self.request.as_ref()?;
        request
            .headers
            .get(&name.to_ascii_lowercase())
            .map(str::to_owned)
    }

    fn get(&mut self, _: Resource<CurrentRequest>, pointer: String) -> Option<String> {
        let request = self.request.as_ref()?;
        request.body.pointer(&pointer).map(ToString::to_string)
    }

    fn texts(&mut self, _: Resource<CurrentRequest>, role: Role) -> Vec<Text> {
        let Some(request) = &self.request else {
            return Vec::new();
        };
        request
            .texts(role.into())
            .into_iter()
            .map(Text::from)
            .collect()
    }

    fn body(&mut self, _: Resource<CurrentRequest>) -> Vec<u8> {
        let Some(request) = &self.request else {
            return Vec::new();
        };
        if let Some(text) = &request.text {
            return text.to_vec();
        }
        // A third faster than `to_string`, which goes through a formatter.
        serde_json::to_vec(&*request.body).expect("a value is JSON")
    }

    fn drop(&mut self, _: Resource<CurrentRequest>) -> Result<()> {
        Ok(())
    }
}

/// What one instance holds, and may hold, over all of its memories and tables.
struct Usage {
    memory_bytes: usize,
    memory_limit: usize,
    table_elements: usize,
    table_limit: usize,
}

impl Usage {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_limit: limits.memory_bytes,
            table_elements: 0,
            table_limit: limits.table_elements,
        }
    }
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let bytes = self.memory_bytes + (desired - current);
        if bytes > self.memory_limit {
            return Err(LimitExceeded::Memory(self.memory_limit).into());
        }
        self.memory_bytes = bytes;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let elements = self.table_elements + (desired - current);
        if elements > self.table_limit {
            return Err(LimitExceeded::Table(self.table_limit).into());
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MOST_PARTS
    }

    fn tables(&self) -> usize {
        MOST_PARTS
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES
    }
}

/// Core instances, and tables, of one component: a language runtime brings some dozens.
const MOST_PARTS: usize = 256;

/// Memories of one component. Each takes gigabytes of address space, however little it holds.
const MOST_MEMORIES: usize = 8;

#[cfg(test)]
mod tests {
    use deja_cache::{Endpoint, Headers};
    use http_request::HostRequest as _;
    use serde_json::json;

    use super::*;

    struct OneHeader;

    impl Headers for OneHeader {
        fn get(&self, name: &str) -> Option<&str> {
            (name == "x-team").then_some("blue")
        }
    }

    fn sandbox() -> Sandbox {
        let limits = Limits::default();
        let mut sandbox = Sandbox::new(Arc::new(PluginLog::new("test", &limits)), &limits);
        let body = json!({"seed": 7, "messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "content": "a question"},
        ]});
        sandbox.show_request(KeyRequest {
            endpoint: Endpoint::ChatCompletions,
            headers: Arc::new(OneHeader),
            body: Arc::new(body),
            text: None,
        });
        sandbox
    }

    fn request() -> Resource<CurrentRequest> {
        Resource::new_borrow(0)
    }

    #[test]
    fn a_plugin_reads_what_it_asks_for() {
        let mut sandbox = sandbox();
        assert_eq!(
            sandbox.endpoint(request()),
            http_request::Endpoint::ChatCompletions
        );
        assert_eq!(
            sandbox.header(request(), "X-Team".into()).as_deref(),
            Some("blue")
        );
        assert_eq!(sandbox.header(request(), "x-other".into()), None);
        assert_eq!(
            sandbox.get(request(), "/messages/1/role".into()).as_deref(),
            Some("\"user\"")
        );
        assert_eq!(sandbox.get(request(), "/seeds".into()), None);
        let texts = sandbox.texts(request(), Role::User);
        assert_eq!(
            (texts.len(), &*texts[0].pointer),
            (1, "/messages/1/content")
        );
        assert!(sandbox.body(request()).starts_with(br#"{"seed":7,"#));
    }

    #[test]
    fn a_body_that_nobody_changed_is_shown_as_it_came() {
        let mut sandbox = sandbox();
        let shown = sandbox.request.as_mut().expect("it is shown");
        shown.text = Some(r#"{ "seed": 7 }"#.into());
        assert_eq!(sandbox.body(request()), br#"{ "seed": 7 }"#);
    }

    #[test]
    fn between_calls_there_is_nothing_to_read() {
        let mut sandbox = sandbox();
        sandbox.hide_request();
        assert_eq!(sandbox.endpoint(request()), http_request::Endpoint::Other);
        assert_eq!(sandbox.get(request(), String::new()), None);
        assert!(
            sandbox.body(request()).is_empty() && sandbox.texts(request(), Role::User).is_empty()
        );
    }
}
