//! `deja watch`: what a running server does, as it does it.

mod board;
mod lines;
mod poll;
mod screen;
#[cfg(test)]
mod testing;
mod view;

pub use board::Board;
pub use lines::{line, text};
pub use poll::Poll;
pub use screen::{ScreenError, show};
