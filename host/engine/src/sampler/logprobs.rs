//! How likely tokens were.

/// A token, and the natural logarithm of its probability.
pub(crate) type Scored = (u32, f32);

/// How likely a token was by the model's own distribution, and which were the likeliest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Likelihood {
    pub(crate) token: Scored,
    /// The likeliest first.
    pub(crate) top: Vec<Scored>,
}

/// The likelihood of a token, by the logits of its place, and of so many of the likeliest.
pub(crate) fn likelihood(logits: &[f32], token: u32, top: usize) -> Likelihood {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - highest).exp()).sum();
    let norm = highest + sum.ln();
    let logprob = |token: u32| {
        let logit = logits.get(token as usize).copied();
        // JSON has no −∞; an impossible token is one of the least probability.
        logit.map_or(f32::MIN, |logit| (logit - norm).max(f32::MIN))
    };
    let mut likeliest: Vec<_> = (0..).take(logits.len()).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]);
    if top < likeliest.len() {
        likeliest.select_nth_unstable_by(top, by_logit);
        likeliest.truncate(top);
    }
    likeliest.sort_by(by_logit);
    Likelihood {
        token: (token, logprob(token)),
        top: likeliest
            .into_iter()
            .map(|token| (token, logprob(token)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_logits() {
        // Logits are probabilities up to a constant.
        let logits = [0.1f32, 0.4, 0.2, 0.3, 0.0].map(|share| share.ln() + 50.0);
        let Likelihood { token, top } = likelihood(&logits, 2, 3);
        assert_eq!(token.0, 2);
        assert!((token.1.exp() - 0.2).abs() < 1e-5, "{token:?}");
        assert_eq!(
            top.iter().map(|(token, _)| *token).collect::<Vec<_>>(),
            [1, 3, 2]
        );
        assert!((top[1].1.exp() - 0.3).abs() < 1e-5, "{top:?}");
        let all = likelihood(&logits, 4, 9);
        assert_eq!(all.top.len(), 5);
        assert_eq!(all.token, (4, f32::MIN));
        assert!(likelihood(&logits, 0, 0).top.is_empty());
    }
}
