//! The stats policy, and what brings a fresh instance of it up to date: a policy that breaks off
//! loses all that it counted.

use tracing::{debug, warn};

use crate::{Outcome, PolicyError, PolicyFailure, Stats};

/// Outcomes after which the policy's state is saved.
const SAVE_AFTER: usize = 1024;

/// Outcomes that are kept for a policy that is left alone. Of more, the oldest are not counted.
const KEPT: usize = 16 * SAVE_AFTER;

/// A stats policy, and what it counted.
pub(crate) struct Account {
    policy: Box<dyn Stats>,
    /// The state that was last saved.
    saved: Option<Vec<u8>>,
    /// Outcomes that are not in that state, oldest first.
    recent: Vec<Outcome>,
    /// How many of them the policy knows. `None` if it knows nothing, not even the saved state.
    known: Option<usize>,
}

impl Account {
    /// The account of a policy that counted nothing yet.
    pub(crate) fn new(policy: Box<dyn Stats>) -> Self {
        Self {
            policy,
            saved: None,
            recent: Vec::new(),
            known: Some(0),
        }
    }

    /// Has the policy count these outcomes, now or when it can be asked again.
    pub(crate) fn fold(&mut self, outcomes: Vec<Outcome>) {
        self.recent.extend(outcomes);
        let surplus = self.recent.len().saturating_sub(KEPT);
        if surplus > 0 {
            self.forget(surplus);
        }
        self.catch_up();
        if self.recent.len() >= SAVE_AFTER {
            self.save();
        }
    }

    /// Asks the policy, which has counted all outcomes that it can.
    pub(crate) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut dyn Stats) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        let answer = question(self.policy.as_mut());
        if let Err(error) = &answer
            && !error.failure.is_harmless()
        {
            self.known = None;
        }
        answer
    }

    /// Puts another policy in place, which goes on where this one stands.
    pub(crate) fn hand_over(&mut self, successor: Box<dyn Stats>) {
        self.save();
        self.policy = successor;
        self.known = None;
        self.catch_up();
    }

    /// Tells the policy of all outcomes that it does not know.
    fn catch_up(&mut self) {
        let Some(known) = self.known.or_else(|| self.restore()) else {
            return;
        };
        if known == self.recent.len() {
            self.known = Some(known);
            return;
        }
        let news = &self.recent[known..];
        match self.policy.fold(news) {
            Ok(()) => self.known = Some(self.recent.len()),
            Err(error) if error.failure == PolicyFailure::LeftAlone => self.known = None,
            Err(error) => {
                // One of them may be what it cannot bear: they are not tried again.
                warn!(%error, lost = news.len(), "outcomes were not counted");
                self.recent.truncate(known);
                self.known = Some(known).filter(|_| error.failure.is_harmless());
            }
        }
    }

    /// Gives a policy that knows nothing the saved state; the outcomes that it knows then, if it
    /// can be asked.
    fn restore(&mut self) -> Option<usize> {
        let Some(state) = &self.saved else {
            return Some(0);
        };
        match self.policy.restore(state) {
            Ok(true) => Some(0),
            Ok(false) => {
                debug!(plugin = self.policy.name(), "starts counting anew");
                self.saved = None;
                Some(0)
            }
            Err(error) if error.failure == PolicyFailure::LeftAlone => None,
            Err(error) => {
                warn!(%error, "what it had counted is lost");
                self.saved = None;
                None
            }
        }
    }

    fn save(&mut self) {
        if self.known != Some(self.recent.len()) {
            return;
        }
        match self.ask(|policy| policy.save()) {
            Ok(state) => {
                self.saved = Some(state);
                self.recent.clear();
                self.known = Some(0);
            }
            Err(error) => warn!(%error, "what it counted was not saved"),
        }
    }

    /// Gives the oldest outcomes up, which the policy may know.
    fn forget(&mut self, count: usize) {
        self.recent.drain(..count);
        let (known, lost) = match self.known {
            Some(known) => (
                Some(known.saturating_sub(count)),
                count.saturating_sub(known),
            ),
            None => (None, count),
        };
        self.known = known;
        if lost > 0 {
            warn!(
                lost,
                plugin = self.policy.name(),
                "outcomes were not counted"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        OutcomeKind,
        testing::{FakePolicy, outcome},
    };

    fn account() -> (FakePolicy, Account) {
        let policy = FakePolicy::default();
        policy.0.lock().restores = true;
        (policy.clone(), Account::new(Box::new(policy)))
    }

    fn outcomes(count: usize) -> Vec<Outcome> {
        vec![outcome(OutcomeKind::Hit); count]
    }

    #[test]
    fn a_policy_that_broke_off_is_told_of_what_it_knew() {
        let (policy, mut account) = account();
        account.fold(outcomes(SAVE_AFTER));
        account.fold(outcomes(2));
        assert_eq!(policy.told().len(), SAVE_AFTER + 3, "and saved once");
        policy.0.lock().fails = Some(PolicyFailure::Broken);
        account
            .ask(|policy| policy.save())
            .expect_err("it broke off");
        policy.0.lock().fails = None;
        account.fold(outcomes(1));
        assert_eq!(policy.told(), ["restore", "Hit", "Hit", "Hit"]);
    }

    #[test]
    fn outcomes_that_a_policy_breaks_off_at_are_not_told_again() {
        let (policy, mut account) = account();
        account.fold(outcomes(2));
        policy.0.lock().fails = Some(PolicyFailure::Broken);
        account.fold(outcomes(3));
        policy.0.lock().fails = None;
        policy.told();
        account.fold(outcomes(1));
        assert_eq!(policy.told().len(), 2 + 1);
    }

    #[test]
    fn outcomes_wait_while_the_policy_is_left_alone_but_not_without_end() {
        let (policy, mut account) = account();
        policy.0.lock().fails = Some(PolicyFailure::LeftAlone);
        account.fold(outcomes(3));
        policy.0.lock().fails = None;
        account.fold(Vec::new());
        assert_eq!(policy.told().len(), 3);

        policy.0.lock().fails = Some(PolicyFailure::LeftAlone);
        account.fold(outcomes(2 * KEPT));
        policy.0.lock().fails = None;
        account.fold(Vec::new());
        assert_eq!(policy.told().len(), KEPT + 1, "and saved once");
    }
}
