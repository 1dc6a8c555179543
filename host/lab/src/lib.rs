//! The laboratory: measures the past (`analyze`), the present (`bench`, `watch`), and what another
//! policy would have done (`replay`).

#![forbid(unsafe_code)]

pub mod analyze;
pub mod bench;
pub mod live;
mod recorded;
pub mod replay;
mod units;
pub mod watch;

pub use recorded::key_request;
