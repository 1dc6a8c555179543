//! Who asks, by `metadata.user_id`: all of it but the session.

use serde_json::{Map, Value};

/// The partition of a user. The id is a JSON object with a `session_id`, or, in older versions,
/// `user_…_account_…_session_…`.
pub(crate) fn partition(user_id: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(user_id) {
        Ok(mut fields) => {
            fields.remove("session_id");
            Value::Object(fields).to_string()
        }
        Err(_) => match user_id.split_once("_session_") {
            Some((user, _session)) => user.to_owned(),
            None => user_id.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_user_share_a_partition() {
        let json =
            |device, session| format!(r#"{{"device_id":"{device}","session_id":"{session}"}}"#);
        assert_eq!(partition(&json("d", "1")), partition(&json("d", "2")));
        assert_ne!(partition(&json("d", "1")), partition(&json("e", "1")));
        assert_eq!(partition("user_a_account_b_session_1"), "user_a_account_b");
        assert_eq!(partition("ada"), "ada");
    }
}
