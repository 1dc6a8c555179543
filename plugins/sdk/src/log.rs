//! Lines for the host's log. It shows them under the plugin's name, cuts long ones, and counts
//! those that come too fast instead of keeping them.

use crate::bindings::plugin::deja::policy::logging::{Level, log};

/// Writes a line that is of use to the plugin's author.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Writes a line that is worth knowing.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Writes a line about something odd, after which the plugin goes on.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Writes a line about something that failed.
pub fn error(message: &str) {
    log(Level::Error, message);
}
