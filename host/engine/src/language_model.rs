//! A model in this process: what the worker runs.

use std::{cell::OnceCell, collections::HashSet, path::Path};

use deja_wire::{Conversation, EmbeddingInput, Prompt, Sampling};
use llguidance::api::TopLevelGrammar;

use crate::{
    EngineError, Limits, Pooling,
    answer::Answer,
    batch::{Batch, SequenceId},
    generate::{TokenStream, tokens_array},
    model::{self, KvCache, Loaded, Part, Transformer},
    model_info,
    output::{self, OutputParser},
    sampler::{Constraint, Constraints, Sampler},
    template::{ChatTemplate, ControlTokens},
    tokenizer::Tokenizer,
};

/// A model, its tokeniser and its chat template, loaded by MLX. It belongs to the thread that
/// loaded it. Programs use [`Engine`](crate::Engine), whose worker can crash without harm; this
/// is for tests and measurements.
pub struct LanguageModel {
    /// Tokens that prompt and answer may have together.
    context_length: u32,
    pub(crate) transformer: Transformer,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    control_tokens: ControlTokens,
    end_tokens: HashSet<u32>,
    pooling: Pooling,
    sizes: Sizes,
    /// Made for the first request that needs one.
    constraints: OnceCell<Constraints>,
}

/// A prompt as the model reads it.
pub(crate) struct Read {
    pub(crate) tokens: Vec<u32>,
    /// Reads the text of an answer.
    pub(crate) output: OutputParser,
    /// The grammar of an answer whose calls are not left to the model.
    pub(crate) calls: Option<TopLevelGrammar>,
}

/// What a first token tells of a model, whatever its architecture.
#[derive(Clone, Copy)]
struct Sizes {
    vocabulary: usize,
    /// Of the keys and values of one position.
    kv_bytes: usize,
}

impl std::fmt::Debug for LanguageModel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LanguageModel")
            .field("context_length", &self.context_length)
            .finish_non_exhaustive()
    }
}

impl LanguageModel {
    /// Loads a `.gguf` file or a Hugging Face folder. `context_length`, in tokens, can lower the
    /// model's own limit.
    ///
    /// # Errors
    /// [`EngineError::ModelNotFound`], [`EngineError::ModelBroken`] and
    /// [`EngineError::UnsupportedModel`].
    pub fn load(path: &Path, context_length: Option<u32>) -> Result<Self, EngineError> {
        let Loaded {
            config,
            weights,
            tokenizer,
            template,
            end_tokens,
            pooling,
        } = model::load(path)?;
        let transformer = Transformer::load(&config, weights)?;
        let sizes = Sizes::measure(&transformer)?;
        let control_tokens =
            ControlTokens::of(&tokenizer).map_err(|error| EngineError::ModelBroken {
                path: path.to_owned(),
                reason: format!("its special tokens are too many: {error}"),
            })?;
        Ok(Self {
            context_length: model_info::lowered(config.context_length, context_length),
            transformer,
            tokenizer,
            template,
            control_tokens,
            end_tokens,
            pooling,
            sizes,
            constraints: OnceCell::new(),
        })
    }

    /// Tokens that prompt and answer may have together.
    pub(crate) fn context_length(&self) -> u32 {
        self.context_length
    }

    /// Encodes a prompt: a conversation as the model's chat template writes it, up to where its
    /// answer begins; a text with the token that begins every text if the model has one. In what the
    /// template writes, and in a text, which one author has written whole, the names of special
    /// tokens stand for those tokens; in the contents of a conversation they are text.
    ///
    /// # Errors
    /// [`EngineError::Template`] if the template refuses the conversation.
    pub fn prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, EngineError> {
        Ok(self.read(prompt)?.tokens)
    }

    /// Makes tokens of a prompt, and says what an answer to it may be.
    pub(crate) fn read(&self, prompt: &Prompt) -> Result<Read, EngineError> {
        match prompt {
            Prompt::Conversation(conversation) => {
                let (text, style) = (self.template.render(conversation)?, self.template.style());
                let special = |marker: &str| {
                    let token = self.tokenizer.id(marker)?;
                    self.tokenizer.special(token).is_some().then_some(token)
                };
                let calls = output::grammar(style, conversation, &text, special);
                Ok(Read {
                    tokens: self.encode(conversation, &text)?,
                    output: OutputParser::new(style, conversation, &text),
                    calls: calls.map(TopLevelGrammar::from_lark),
                })
            }
            Prompt::Text(text) => Ok(Read {
                tokens: self.tokenizer.encode_whole(text)?,
                output: OutputParser::plain(),
                calls: None,
            }),
        }
    }

    /// Encodes a conversation that the template has written as this text.
    fn encode(&self, conversation: &Conversation, text: &str) -> Result<Vec<u32>, EngineError> {
        match self.control_tokens.marked(conversation, text) {
            None => self.tokenizer.encode(text),
            Some((marked, mark)) => {
                let text = self.template.render(&marked)?;
                self.tokenizer.encode_marked(&text, mark)
            }
        }
    }

    /// How many tokens of a prompt its text has, without those that are added to it.
    pub(crate) fn written(&self, prompt: &Prompt) -> Result<usize, EngineError> {
        match prompt {
            Prompt::Conversation(_) => Ok(self.prompt(prompt)?.len()),
            Prompt::Text(text) => Ok(self.tokenizer.encode(text)?.len()),
        }
    }

    /// The tokens of what is to be embedded: those of a text as in [`Self::prompt`].
    pub(crate) fn tokens_of(&self, input: &EmbeddingInput) -> Result<Vec<u32>, EngineError> {
        let tokens = match input {
            EmbeddingInput::Text(text) => return self.tokenizer.encode_whole(text),
            EmbeddingInput::Tokens(tokens) => tokens,
        };
        let vocabulary = self.sizes.vocabulary;
        match tokens.iter().find(|token| **token as usize >= vocabulary) {
            Some(token) => Err(EngineError::Input {
                reason: format!("the model has {vocabulary} tokens, and none of number {token}"),
            }),
            None => Ok(tokens.clone()),
        }
    }

    /// How the model's embeddings are made.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Bytes of the keys and values of so many tokens.
    pub(crate) fn kv_bytes(&self, tokens: usize) -> usize {
        KvCache::bytes_of(tokens, self.sizes.kv_bytes)
    }

    /// The tokens that continue a prompt: up to `limit`, whether or not one of them ends the text.
    ///
    /// # Errors
    /// [`EngineError::ContextExceeded`] if the prompt leaves no room for one, and
    /// [`EngineError::Generation`] if there is none to continue.
    pub fn tokens(
        &self,
        prompt: Vec<u32>,
        sampling: &Sampling,
        limit: Option<u32>,
    ) -> Result<TokenStream<'_>, EngineError> {
        let mut batch = self.batch(Limits {
            prefix_cache_bytes: 0,
            ..Limits::default()
        });
        let limit = self.limit(&prompt, limit)?;
        if limit > 0 {
            let id = SequenceId {
                request: 0,
                choice: 0,
            };
            let sampler = self.sampler(sampling, None, 0, &prompt)?;
            batch.add(id, prompt, sampler, limit, None);
        }
        Ok(TokenStream::new(batch))
    }

    /// How many tokens may continue a prompt, if `wanted` are wanted; see [`Self::tokens`].
    pub(crate) fn limit(&self, prompt: &[u32], wanted: Option<u32>) -> Result<u32, EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::Generation {
                reason: "the prompt has no tokens".to_owned(),
            });
        }
        let context_length = self.context_length;
        let prompt_tokens = count(prompt);
        if prompt_tokens >= context_length {
            return Err(EngineError::ContextExceeded {
                prompt_tokens,
                context_length,
            });
        }
        let room = context_length - prompt_tokens;
        Ok(wanted.unwrap_or(room).min(room))
    }

    /// Computes sequences together.
    pub(crate) fn batch(&self, limits: Limits) -> Batch<'_> {
        Batch::new(&self.transformer, self.sizes.kv_bytes, limits)
    }

    /// Chooses the tokens of the answer of this number to a prompt.
    pub(crate) fn sampler(
        &self,
        sampling: &Sampling,
        grammar: Option<&TopLevelGrammar>,
        choice: u32,
        prompt: &[u32],
    ) -> Result<Sampler, EngineError> {
        let constraint = grammar
            .map(|grammar| self.constraint(grammar))
            .transpose()?;
        let vocabulary = self.sizes.vocabulary;
        Ok(Sampler::new(
            sampling, constraint, choice, prompt, vocabulary,
        )?)
    }

    fn constraint(&self, grammar: &TopLevelGrammar) -> Result<Constraint, EngineError> {
        let vocabulary = self.sizes.vocabulary;
        if self.constraints.get().is_none() {
            let made = Constraints::new(&self.tokenizer, &self.end_tokens, vocabulary)?;
            // An error would say that they were there already.
            let _ = self.constraints.set(made);
        }
        let constraints = self.constraints.get().expect("they were made");
        constraints.of(grammar, vocabulary)
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// An answer without any tokens yet.
    pub(crate) fn answer(&self, stop: &[String], output: OutputParser) -> Answer<'_> {
        Answer::new(&self.tokenizer, &self.end_tokens, stop, output)
    }
}

impl Sizes {
    fn measure(transformer: &Transformer) -> mlx_rs::error::Result<Self> {
        let mut cache = transformer.new_cache();
        let token = tokens_array(&[0]);
        let hidden = transformer.extend(&token, &mut [Part::of(&mut cache, &token)])?;
        let logits = transformer.logits(&hidden)?;
        logits.eval()?;
        Ok(Self {
            vocabulary: usize::try_from(logits.dim(-1)).unwrap_or(0),
            kv_bytes: cache.bytes_per_position(),
        })
    }
}

/// How many tokens a prompt has.
pub(crate) fn count(prompt: &[u32]) -> u32 {
    u32::try_from(prompt.len()).unwrap_or(u32::MAX)
}
