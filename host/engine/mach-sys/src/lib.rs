//! The one function of `mach-sys` that `mlx-rs` calls, on every platform.
//!
//! `mlx-rs` seeds its default random state from Mach's clock, which Linux lacks. The root manifest
//! patches this crate in; when `mlx-rs` seeds itself from the standard library, it can go.

/// Mach's clock.
pub mod mach_time {
    use std::time::{SystemTime, UNIX_EPOCH};

    /// Nanoseconds that tell two program starts apart.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only the low bits make a seed"
    )]
    pub fn mach_approximate_time() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos() as u64)
    }
}
