//! Answers that have a grammar: only tokens that keep to it can be chosen.

use std::{collections::HashSet, fmt, sync::Arc};

use deja_wire::Format;
use llguidance::{
    Matcher, ParserFactory,
    api::TopLevelGrammar,
    toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie},
};
use mlx_rs::Array;
use serde_json::json;

use crate::{EngineError, tokenizer::Tokenizer};

/// Makes constraints from grammars, for one model.
pub(crate) struct Constraints(ParserFactory);

/// What an answer may go on with.
pub(crate) struct Constraint {
    matcher: Matcher,
    vocabulary: usize,
}

impl fmt::Debug for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Constraint").finish_non_exhaustive()
    }
}

impl Constraints {
    /// Sorts the tokens of a model by their bytes, which takes a moment.
    pub(crate) fn new(
        tokenizer: &Tokenizer,
        end_tokens: &HashSet<u32>,
        vocabulary: usize,
    ) -> Result<Self, EngineError> {
        let size = u32::try_from(vocabulary).unwrap_or(u32::MAX);
        let words: Vec<_> = (0..size).map(|token| word(tokenizer, token)).collect();
        let mut ends: Vec<_> = end_tokens
            .iter()
            .copied()
            .filter(|token| *token < size)
            .collect();
        ends.sort_unstable();
        let Some(end) = ends.first() else {
            let reason = "the model has no token that ends an answer".to_owned();
            return Err(EngineError::Format { reason });
        };
        let trie = TokTrie::from(&TokRxInfo::new(size, *end), &words).with_eos_tokens(&ends);
        let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&tokens).map_err(|error| refused(&error))?;
        factory.quiet();
        Ok(Self(factory))
    }

    /// The constraint that a grammar is.
    pub(crate) fn of(
        &self,
        grammar: &TopLevelGrammar,
        vocabulary: usize,
    ) -> Result<Constraint, EngineError> {
        let mut matcher = Matcher::new(self.0.create_parser(grammar.clone()));
        // A schema's mistakes show here, rather than with the first token.
        matcher
            .compute_mask_or_eos()
            .map_err(|error| refused(&error))?;
        Ok(Constraint {
            matcher,
            vocabulary,
        })
    }
}

/// The grammar that a format is, if it is one.
pub(crate) fn grammar_of(format: &Format) -> Option<TopLevelGrammar> {
    let schema = match format {
        Format::Text => return None,
        Format::JsonObject => json!({ "type": "object" }),
        Format::JsonSchema(schema) => schema.clone(),
    };
    Some(TopLevelGrammar::from_json_schema(schema))
}

impl Constraint {
    /// What is added to logits [1, vocabulary]: nothing for tokens that may come next, and −∞ for
    /// all others. After the last token only those may come that end an answer.
    pub(crate) fn mask(&mut self) -> Result<Array, EngineError> {
        let allowed = self.matcher.compute_mask_or_eos();
        let allowed = allowed.map_err(|error| refused(&error))?;
        let mut mask = vec![f32::NEG_INFINITY; self.vocabulary];
        allowed.iter_set_entries(|token| {
            if let Some(entry) = mask.get_mut(token) {
                *entry = 0.0;
            }
        });
        let length = i32::try_from(mask.len()).unwrap_or(i32::MAX);
        Ok(Array::from_slice(&mask, &[1, length]))
    }

    /// Goes on by a token; one that is not allowed shows at the next mask.
    pub(crate) fn note(&mut self, token: u32) {
        if !self.matcher.is_stopped()
            && let Err(error) = self.matcher.consume_token(token)
        {
            tracing::debug!(%error, token, "a token breaks the answer's format");
        }
    }
}

/// A token as the grammar sees it: special ones are no text.
fn word(tokenizer: &Tokenizer, token: u32) -> Vec<u8> {
    let mut bytes = tokenizer.bytes(token);
    if tokenizer.special(token).is_some() {
        bytes.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
    }
    bytes
}

fn refused(error: &impl ToString) -> EngineError {
    EngineError::Format {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The token that ends answers: the first beyond those of bytes.
    const END: u32 = 256;
    const VOCABULARY: usize = 257;

    /// Whether each token of the text may come where it comes, and the end after it.
    fn allows(schema: &Value, text: &str) -> Result<bool, EngineError> {
        let tokenizer = Tokenizer::of_bytes();
        let constraints = Constraints::new(&tokenizer, &[END].into(), VOCABULARY)?;
        let grammar = grammar_of(&Format::JsonSchema(schema.clone()));
        let grammar = grammar.expect("a schema is a grammar");
        let mut constraint = constraints.of(&grammar, VOCABULARY)?;
        let mut tokens = tokenizer.encode(text)?;
        tokens.push(END);
        for token in tokens {
            let mask: Vec<f32> = constraint.mask()?.to_vec_exact().expect("is f32");
            if mask[token as usize].is_infinite() {
                return Ok(false);
            }
            constraint.note(token);
        }
        Ok(true)
    }

    #[test]
    fn only_what_the_schema_allows_can_be_said() {
        let schema = json!({
            "type": "object",
            "properties": {"name": {"$ref": "#/$defs/name"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": false,
            "$defs": {"name": {"type": "string"}},
        });
        let allows = |text| allows(&schema, text).expect("is a schema");
        assert!(allows(r#"{"name": "Ärzte", "age": 3}"#));
        assert!(!allows(r#"{"name": 3"#));
        assert!(!allows(r#"{"name": "x", "age": 3, "b": 1}"#));
        assert!(!allows(r#"{"name": "x"}"#));
        assert!(!allows("Sure!"));
    }

    #[test]
    fn a_broken_schema_is_refused() {
        for schema in [json!({"type": "unheard of"}), json!({"$ref": "#/nowhere"})] {
            let error = allows(&schema, "").expect_err("is refused");
            assert!(matches!(error, EngineError::Format { .. }), "{error}");
        }
    }
}
