//! A keyer over recorded requests.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use anyhow::bail;
use deja_cache::{BypassReason, Key, KeyRequest, Keyed, Keyer, KeyerChain, Scope};
use deja_policy::LoneKeyer;

use super::times::Times;

/// What a keyer made of the requests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// How many there are.
    pub(super) requests: usize,
    /// How many are looked up, and their answers stored.
    pub(super) cached: usize,
    /// How many are looked up only.
    pub(super) looked_up: usize,
    /// How many leave the cache out because the keyer says so, by its reason.
    pub(super) bypassed: BTreeMap<String, usize>,
    /// How many leave the cache out because the keyer fails, by the error.
    pub(super) failed: BTreeMap<String, usize>,
    /// Edits, and requests with one, by rule.
    pub(super) edits: BTreeMap<String, Edits>,
    /// How many keys they have.
    pub(super) keys: usize,
    /// How many keys they would have without this keyer.
    pub(super) keys_without: usize,
    /// The requests, by number, about which two instances, or one asked twice, did not decide alike.
    pub(super) undecided: Vec<usize>,
    /// How long the calls took.
    pub(super) times: Times,
    /// Bytes of memory that one instance holds in the end.
    pub(super) memory_bytes: usize,
}

/// The edits of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// How many there are.
    pub(super) edits: usize,
    /// In how many requests.
    pub(super) requests: usize,
}

/// Prints what the keyer makes of the requests, each asked about so many times.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(super) fn run(keyer: LoneKeyer, requests: &[KeyRequest], rounds: u32) -> anyhow::Result<()> {
    let findings = try_out(keyer, requests, rounds)?;
    print!("{findings}");
    if !findings.failed.is_empty() {
        bail!("the keyer fails");
    }
    if !findings.undecided.is_empty() {
        bail!("the keyer is not deterministic: the same request must get the same decision");
    }
    Ok(())
}

fn try_out(keyer: LoneKeyer, requests: &[KeyRequest], rounds: u32) -> anyhow::Result<Findings> {
    let twin = keyer.twin()?;
    let keyer = Arc::new(keyer);
    let mut findings = Findings::default();
    findings.compare(&*keyer, &twin, requests);
    findings.decide(&KeyerChain::new(vec![keyer.clone()]), requests);
    findings.keys_without = keys(&KeyerChain::new(Vec::new()), requests);
    findings.time(&*keyer, requests, rounds);
    findings.memory_bytes = keyer.memory_bytes();
    Ok(findings)
}

impl Findings {
    /// Has two instances decide, and one of them twice.
    fn compare(&mut self, keyer: &dyn Keyer, twin: &dyn Keyer, requests: &[KeyRequest]) {
        for (number, request) in requests.iter().enumerate() {
            let decision = keyer.decide(request);
            if decision != twin.decide(request) || decision != keyer.decide(request) {
                self.undecided.push(number);
            }
        }
    }

    /// Has keys made, as a server makes them.
    fn decide(&mut self, chain: &KeyerChain, requests: &[KeyRequest]) {
        self.requests = requests.len();
        self.keys = keys(chain, requests);
        for request in requests {
            let consultation = chain.consult(request.clone(), Scope::of([]));
            match consultation.keyed {
                Keyed::Cache(ticket) if ticket.store => self.cached += 1,
                Keyed::Cache(_) => self.looked_up += 1,
                Keyed::Bypass(reason) => {
                    let counts = match reason {
                        BypassReason::Asked(_) => &mut self.bypassed,
                        _ => &mut self.failed,
                    };
                    *counts.entry(reason.to_string()).or_default() += 1;
                }
            }
            let rules = consultation.edits.into_iter().map(|(_, edit)| edit.rule);
            self.count(rules);
        }
    }

    /// Counts the edits of one request.
    fn count(&mut self, rules: impl Iterator<Item = String>) {
        let mut seen = HashSet::new();
        for rule in rules {
            let counted = self.edits.entry(rule.clone()).or_default();
            counted.edits += 1;
            counted.requests += usize::from(seen.insert(rule));
        }
    }

    fn time(&mut self, keyer: &dyn Keyer, requests: &[KeyRequest], rounds: u32) {
        for request in (0..rounds).flat_map(|_| requests) {
            // Whether it fails was told before.
            let _ = self.times.of(|| keyer.decide(request));
        }
    }
}

/// How many keys these requests have.
fn keys(chain: &KeyerChain, requests: &[KeyRequest]) -> usize {
    let key = |request: &KeyRequest| match chain.consult(request.clone(), Scope::of([])).keyed {
        Keyed::Cache(ticket) => Some(ticket.key),
        Keyed::Bypass(_) => None,
    };
    let keys: HashSet<Key> = requests.iter().filter_map(key).collect();
    keys.len()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use deja_cache::{Change, Decision, Edit, Endpoint, NoHeaders, PolicyError, Recipe};
    use serde_json::json;

    use super::*;

    fn requests() -> Vec<KeyRequest> {
        let bodies = [json!({"user": "ada"}), json!({"user": "bob"}), json!({})];
        let request = |body| KeyRequest {
            endpoint: Endpoint::ChatCompletions,
            headers: Arc::new(NoHeaders),
            body: Arc::new(body),
            text: None,
        };
        bodies.map(request).into()
    }

    /// Takes `/user` out, which not every request has, and tells how often it was asked if wanted.
    struct DropUser {
        calls: AtomicU64,
        tells: bool,
    }

    impl Keyer for DropUser {
        fn name(&self) -> &'static str {
            "drop-user"
        }

        fn identity(&self) -> &'static str {
            "drop-user"
        }

        fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
            let calls = self.calls.fetch_add(1, Ordering::Relaxed);
            Ok(Decision::Cache(Recipe {
                edits: vec![Edit {
                    rule: "user".to_owned(),
                    change: Change::Remove {
                        pointer: "/user".to_owned(),
                    },
                }],
                partition: self.tells.then(|| calls.to_string()),
                ..Recipe::default()
            }))
        }
    }

    fn keyer(tells: bool) -> DropUser {
        let calls = AtomicU64::new(0);
        DropUser { calls, tells }
    }

    #[test]
    fn decisions_keys_and_edits_are_counted() {
        let mut findings = Findings::default();
        findings.decide(&KeyerChain::new(vec![Arc::new(keyer(false))]), &requests());
        assert_eq!(
            (findings.requests, findings.cached, findings.keys),
            (3, 2, 1)
        );
        let (error, count) = findings.failed.first_key_value().expect("one has no user");
        assert_eq!(
            (error.as_str(), *count),
            ("rule user: nothing stands at `/user`", 1)
        );
        let edits = Edits {
            edits: 2,
            requests: 2,
        };
        assert_eq!(findings.edits, [("user".to_owned(), edits)].into());
        assert_eq!(keys(&KeyerChain::new(Vec::new()), &requests()), 3);
    }

    #[test]
    fn a_keyer_that_remembers_is_found_out() {
        let mut findings = Findings::default();
        findings.compare(&keyer(false), &keyer(false), &requests());
        assert!(findings.undecided.is_empty());
        findings.compare(&keyer(true), &keyer(true), &requests());
        assert_eq!(findings.undecided, [0, 1, 2]);
    }
}
