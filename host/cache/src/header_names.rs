//! By which headers a caller shows who it is, and which can change an answer.

/// Headers with credentials that do not say so by their name.
const NAMES: [&str; 3] = ["authorization", "cookie", "x-api-key"];

/// What the names of others hold: gateways and proxies have many of their own.
const HINTS: [&str; 5] = ["api-key", "auth", "credential", "secret", "token"];

/// How headers begin that can change an answer.
const MEANINGFUL: [&str; 2] = ["anthropic-", "openai-"];

/// Whether a header, by its lower-case name, can change an answer. Those that can are part of every
/// key.
#[must_use]
pub fn can_change_answer(name: &str) -> bool {
    MEANINGFUL.iter().any(|begin| name.starts_with(begin))
}

/// Whether a header, by its lower-case name, may carry credentials. Rather one too many: callers
/// that differ in such a header do not share answers, and no plugin and no log sees it.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    NAMES.contains(&name) || HINTS.iter().any(|hint| name.contains(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_names() {
        for name in [
            "authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "cookie",
            "proxy-authorization",
            "x-auth-request-user",
            "x-amz-security-token",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "user-agent",
            "anthropic-beta",
            "x-claude-code-session-id",
            "x-team",
        ] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
