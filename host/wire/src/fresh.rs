//! What sets one reply apart from another that says the same: its ids and its time.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::{RngExt, distr::Alphanumeric};

/// Seconds since the epoch that take [`TIME_BYTES`] digits: from 2001 to 2286.
const TIMES: std::ops::RangeInclusive<u64> = 1_000_000_000..=9_999_999_999;

pub(crate) const HEX_BYTES: usize = 32;
pub(crate) const NUMBERED_BYTES: usize = 24;
pub(crate) const TIME_BYTES: usize = 10;

/// How many bytes at the end of a numbered id tell its number.
const NUMBER_BYTES: usize = 4;

/// What one reply has for itself. A replayed answer takes its ids from here, so that it does not
/// carry another reply's.
#[derive(Clone, Debug)]
pub struct Fresh {
    hex: [u8; HEX_BYTES],
    letters: [u8; NUMBERED_BYTES - NUMBER_BYTES],
    created: u64,
}

impl Fresh {
    /// New ids, and the time now.
    #[must_use]
    pub fn new() -> Self {
        let mut rng = rand::rng();
        let random: u128 = rng.random();
        let mut letters = [0; NUMBERED_BYTES - NUMBER_BYTES];
        letters.fill_with(|| rng.sample(Alphanumeric));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            hex: std::array::from_fn(|at| digit(random >> (4 * at), 16)),
            letters,
            created: now.as_secs().clamp(*TIMES.start(), *TIMES.end()),
        }
    }

    /// The same ids and the same time whenever it is made: for records, so that the same answer is
    /// the same document. No client sees it.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            hex: [b'0'; HEX_BYTES],
            letters: [b'0'; NUMBERED_BYTES - NUMBER_BYTES],
            created: *TIMES.start(),
        }
    }

    /// A name that nothing else has.
    #[must_use]
    pub fn id(&self) -> String {
        String::from_utf8_lossy(&self.hex).into_owned()
    }

    /// Seconds since the epoch.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }

    /// The random part of ids that are hexadecimal.
    pub(crate) fn hex(&self) -> [u8; HEX_BYTES] {
        self.hex
    }

    /// The random part of this reply's id of this number.
    pub(crate) fn numbered(&self, number: u32) -> [u8; NUMBERED_BYTES] {
        let mut id = [0; NUMBERED_BYTES];
        let (letters, digits) = id.split_at_mut(self.letters.len());
        letters.copy_from_slice(&self.letters);
        let mut rest = number;
        for place in digits.iter_mut().rev() {
            *place = digit(rest.into(), 62);
            rest /= 62;
        }
        id
    }

    /// The digits of the time.
    pub(crate) fn time(&self) -> [u8; TIME_BYTES] {
        let mut rest = self.created;
        let mut digits = [0; TIME_BYTES];
        for place in digits.iter_mut().rev() {
            *place = digit(rest.into(), 10);
            rest /= 10;
        }
        digits
    }
}

impl Default for Fresh {
    fn default() -> Self {
        Self::new()
    }
}

/// The last digit of a number in this base.
fn digit(number: u128, base: u128) -> u8 {
    const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    DIGITS[usize::try_from(number % base).expect("the base is at most 62")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_ids_of_its_own() {
        let (one, other) = (Fresh::new(), Fresh::new());
        assert_ne!(one.hex(), other.hex());
        assert_ne!(one.numbered(0), other.numbered(0));
        assert_ne!(one.numbered(0), one.numbered(1));
        assert_eq!(one.numbered(63), one.numbered(63));
        assert_eq!(Fresh::blank().hex(), Fresh::blank().hex());
    }

    #[test]
    fn the_time_is_a_number_of_ten_digits() {
        let fresh = Fresh::new();
        let digits = fresh.time();
        let time = str::from_utf8(&digits).expect("digits are text");
        assert_eq!(time.parse(), Ok(fresh.created()));
        assert!(TIMES.contains(&fresh.created()));
    }
}
