//! Knows requests again that were passed on by this very server (RFC 9110, section 7.6.3).

use std::sync::LazyLock;

use deja_wire::Fresh;
use hyper::{
    HeaderMap,
    header::{HeaderValue, VIA},
};

/// A name that no other server has, so that several can stand in a row.
static OURS: LazyLock<String> = LazyLock::new(|| format!("1.1 deja-{}", Fresh::new().id()));

/// What is added to a request that is passed on.
pub(crate) fn ours() -> HeaderValue {
    HeaderValue::try_from(OURS.as_str()).expect("it is printable ASCII")
}

/// Whether a request was passed on by us.
pub(crate) fn is_ours(headers: &HeaderMap) -> bool {
    let values = headers.get_all(VIA).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|hop| hop.trim() == *OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_again_among_other_hops() {
        let mut headers = HeaderMap::new();
        headers.append(VIA, HeaderValue::from_static("1.1 deja-another, 1.1 nginx"));
        assert!(!is_ours(&headers));
        headers.append(VIA, ours());
        assert!(is_ours(&headers));
    }
}
