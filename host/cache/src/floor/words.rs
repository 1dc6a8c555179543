//! How much of a text another one keeps.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Returns whether two texts share at least half of the words of each. Case, white space, the order
/// of the words and Unicode's compatible forms (NFKC) do not count; in a text without words its
/// signs stand for them. That new words are counted too keeps a text from being replaced by one
/// that holds every word there is.
pub(super) fn are_kept(came: &str, left: &str) -> bool {
    if came == left {
        return true;
    }
    let (came, left) = (folded(came), folded(left));
    if came == left {
        return true;
    }
    let (came, left) = (words(&came), words(&left));
    let most = came.len().max(left.len());
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in came {
        *counts.entry(word).or_default() += 1;
    }
    let shared = left.into_iter().filter(|word| {
        counts.get_mut(word).is_some_and(|count| {
            let is_left = *count > 0;
            *count = count.saturating_sub(1);
            is_left
        })
    });
    shared.count() * 2 >= most
}

/// Returns whether a text says nothing.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

fn words(text: &str) -> Vec<&str> {
    let words: Vec<_> = text.unicode_words().collect();
    if !words.is_empty() {
        return words;
    }
    let signs = text.split_word_bounds();
    signs.filter(|sign| !is_blank(sign)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::are_kept;

    #[test]
    fn a_text_in_another_spelling_is_kept() {
        for (came, left) in [
            (
                "What is the\n capital of  France?",
                "what is the capital of france?",
            ),
            ("cafe\u{301} na\u{ef}ve", "caf\u{e9} nai\u{308}ve"),
            ("Today's date is 2026-08-16.", "Today's date is ."),
            ("Order 4711", "Order "),
            ("東京の人口は?", "東京の人口は"),
            (" \n", ""),
            ("?!", " ?!"),
        ] {
            assert!(are_kept(came, left), "{came:?} {left:?}");
        }
    }

    #[test]
    fn a_text_that_is_replaced_or_emptied_is_not_kept() {
        let everything = "the a capital of france germany is what ".repeat(3);
        for (came, left) in [
            ("What is the capital of France?", ""),
            ("What is the capital of France?", "?"),
            ("What is the capital of France?", "What is"),
            ("What is the capital of France?", "question"),
            ("What is the capital of France?", everything.as_str()),
            ("42", "0"),
            ("?", ""),
            ("🙂", ""),
            ("🙂", "🙁"),
            ("?", "why"),
            ("", "why"),
        ] {
            assert!(!are_kept(came, left), "{came:?} {left:?}");
        }
    }

    proptest! {
        #[test]
        fn no_one_text_stands_for_two_that_share_nothing(
            came in "[a-d ]{1,12}", other in "[e-h ]{1,12}", left in "[a-h ]{0,24}",
        ) {
            prop_assume!(!came.trim().is_empty() && !other.trim().is_empty());
            // A text of half of each is the most that two can have in common.
            let is_half = left.split_whitespace().count() % 2 == 0;
            prop_assert!(is_half || !(are_kept(&came, &left) && are_kept(&other, &left)));
        }
    }
}
