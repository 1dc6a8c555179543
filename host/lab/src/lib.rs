//! The laboratory: measures the past (`analyze`), the present (`bench`, `watch`), and what another
//! policy would have done (`replay`).

#![forbid(unsafe_code)]

pub mod replay;
