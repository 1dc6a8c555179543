//! Policies over real components, and over components that do what they should not.

#![allow(missing_docs)]

use deja_guests as guests;

mod claude_code;
mod codex;
mod hostile;
mod inspecting;
mod keyers;
mod loading;
mod log;
mod reload;
mod running;
mod sdk;
mod support;
mod wasi;
