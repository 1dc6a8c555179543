//! Lines for the host's log. It shows them under the plugin's name, cuts long ones, and counts
//! those that come too fast instead of keeping them.

pub use crate::bindings::plugin::deja::policy::logging::Level;

/// Writes a line that is of use to the plugin's author.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes a line that is worth knowing.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes a line about something odd, after which the plugin goes on.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Writes a line about something that failed.
pub fn error(message: &str) {
    write(Level::Error, message);
}

/// Has the message of a panic logged, before it ends the instance: the host sees only that.
#[doc(hidden)]
pub fn panics() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}

#[cfg(target_family = "wasm")]
use crate::bindings::plugin::deja::policy::logging::log as write;

/// Without a host, in tests, lines go where those of the test go.
#[cfg(not(target_family = "wasm"))]
#[allow(clippy::print_stderr, reason = "a test's output is read there")]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
