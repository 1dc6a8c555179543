//! How hard a model thinks: a budget of tokens to Anthropic, a word to `OpenAI`.

use crate::Effort;

/// The word for no reasoning at all.
const NONE: &str = "none";

/// `OpenAI`'s words and the budgets that stand for them, rising. Anthropic takes none below 1024.
const BUDGETS: [(&str, u64); 3] = [("low", 1024), ("medium", 4096), ("high", 16384)];

impl Effort {
    /// Returns `OpenAI`'s word for it; for a budget, that of the most effort that it pays for.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::None => NONE,
            Self::Word(word) => word,
            Self::Budget(tokens) => word_within(*tokens),
        }
    }

    /// Returns the tokens to think with; 0 is no reasoning. `None` if its word is unknown.
    #[must_use]
    pub fn budget(&self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Word(word) => budget_of(word),
            Self::Budget(tokens) => Some(*tokens),
        }
    }
}

fn word_within(tokens: u64) -> &'static str {
    let within = BUDGETS.iter().rev().find(|(_, budget)| *budget <= tokens);
    within.map_or("low", |(word, _)| word)
}

fn budget_of(word: &str) -> Option<u64> {
    let word = match word {
        NONE | "minimal" => return Some(0),
        "xhigh" | "max" => "high",
        word => word,
    };
    let found = BUDGETS.iter().find(|(known, _)| *known == word);
    found.map(|(_, budget)| *budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_survives_the_way_there_and_back() {
        for (word, tokens) in BUDGETS {
            assert_eq!(Effort::Word(word.to_owned()).budget(), Some(tokens));
            assert_eq!(Effort::Budget(tokens).word(), word);
        }
    }

    #[test]
    fn budgets_between_two_words_take_the_lower() {
        assert_eq!(word_within(0), "low");
        assert_eq!(word_within(16383), "medium");
        assert_eq!(word_within(u64::MAX), "high");
    }

    #[test]
    fn words_without_a_budget() {
        assert_eq!(budget_of("none"), Some(0));
        assert_eq!(budget_of("xhigh"), budget_of("high"));
        assert_eq!(budget_of("frantic"), None);
        assert_eq!(Effort::None.word(), "none");
    }
}
