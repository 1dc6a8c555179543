//! RFC 6901 pointers: where in a body something stands.

use std::borrow::Cow;
use std::fmt::Display;

/// The pointer to what stands under this field, or at this index, of what stands at `parent`.
#[must_use]
pub fn join(parent: &str, step: impl Display) -> String {
    format!("{parent}/{}", escape(&step.to_string()))
}

/// A field's name as it is written in a pointer.
#[must_use]
pub fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

/// A step of a pointer as the name of a field.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_index_is_a_step_as_a_name_is() {
        assert_eq!(join(&join("/messages", 3), "a/b~c"), "/messages/3/a~1b~0c");
    }

    proptest! {
        #[test]
        fn every_field_can_be_pointed_at(name in ".*") {
            let body = json!({"outer": {&name: 7}});
            prop_assert_eq!(body.pointer(&join("/outer", &name)), Some(&json!(7)));
            prop_assert_eq!(unescape(&escape(&name)), name);
        }
    }
}
