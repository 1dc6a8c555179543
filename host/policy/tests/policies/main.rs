//! Policies over real components, and over components that do what they should not.

#![allow(missing_docs)]

mod claude_code;
mod guests;
mod inspecting;
mod keyers;
mod loading;
mod log;
mod reload;
mod running;
mod support;
