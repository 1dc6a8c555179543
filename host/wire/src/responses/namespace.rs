//! Tools in namespaces, which only this API has: elsewhere their names say which.

/// Stands between the name of a namespace and that of its tool.
const SEPARATOR: &str = "__";

/// Returns the name that a namespace's tool has where there are no namespaces.
pub(super) fn flat(namespace: &str, name: &str) -> String {
    format!("{namespace}{SEPARATOR}{name}")
}
