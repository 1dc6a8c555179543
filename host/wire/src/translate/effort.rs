//! How hard a model thinks: a budget of tokens to Anthropic, a word to `OpenAI`.

/// `OpenAI`'s words and the budgets that stand for them, rising. Anthropic takes none below 1024.
const BUDGETS: [(&str, u64); 3] = [("low", 1024), ("medium", 4096), ("high", 16384)];

/// The word for the most effort that this budget pays for.
pub(super) fn for_budget(tokens: u64) -> &'static str {
    let within = BUDGETS.iter().rev().find(|(_, budget)| *budget <= tokens);
    within.map_or("low", |(effort, _)| effort)
}

/// The budget for this effort; 0 is no thinking. `None` if there is no such word.
pub(super) fn budget(effort: &str) -> Option<u64> {
    let effort = match effort {
        "none" | "minimal" => return Some(0),
        "xhigh" | "max" => "high",
        effort => effort,
    };
    let found = BUDGETS.iter().find(|(word, _)| *word == effort);
    found.map(|(_, budget)| *budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_survives_the_way_there_and_back() {
        for (effort, tokens) in BUDGETS {
            assert_eq!(budget(effort), Some(tokens));
            assert_eq!(for_budget(tokens), effort);
        }
    }

    #[test]
    fn budgets_between_two_words_take_the_lower() {
        assert_eq!(for_budget(0), "low");
        assert_eq!(for_budget(16383), "medium");
        assert_eq!(for_budget(u64::MAX), "high");
    }

    #[test]
    fn words_without_a_budget() {
        assert_eq!(budget("none"), Some(0));
        assert_eq!(budget("xhigh"), budget("high"));
        assert_eq!(budget("frantic"), None);
    }
}
