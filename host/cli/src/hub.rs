//! Models from Hugging Face's hub, kept in its own cache, where other programs find them, too.

#[cfg(test)]
mod tests;

use std::{
    io::{IsTerminal, stderr},
    path::PathBuf,
};

use hf_hub::{
    Cache, Repo, RepoType,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError, ApiRepo},
    },
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::{info, warn};

/// The variable with the token for private and gated models.
const TOKEN: &str = "HF_TOKEN";

/// What a model needs besides its weights, if it has it.
const SETTINGS: &[&str] = &[
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubError {
    /// Nobody has this name; the hub says the same of some private models.
    #[error("the hub has no model {name}, or shows it only to those with a token ({TOKEN})")]
    NotFound { name: String },
    /// It is private or gated.
    #[error("the hub does not let this token ({TOKEN}) read {name}, or wants one")]
    Refused { name: String },
    /// There are none in the one form that is read.
    #[error("{name} has no weights as safetensors")]
    NoWeights { name: String },
    /// The hub, the way there or the cache failed. What was fetched is kept.
    #[error("cannot fetch {name}")]
    Failed { name: String, source: ApiError },
}

/// Whether a text can be a model's name on the hub: `owner/name`.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        part.starts_with(|first: char| first.is_ascii_alphanumeric()) && part.chars().all(is_letter)
    };
    let is_file = std::path::Path::new(text)
        .extension()
        .is_some_and(|extension| extension == "gguf");
    let parts = text.split_once('/');
    !is_file && parts.is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

/// The folder of a model in the cache, with what it lacked fetched. It blocks.
pub(crate) fn fetch(name: &str) -> Result<PathBuf, HubError> {
    let mut builder = ApiBuilder::from_env();
    if let Ok(token) = std::env::var(TOKEN) {
        builder = builder.with_token(Some(token));
    }
    fetch_with(builder, &Cache::from_env(), name)
}

fn fetch_with(builder: ApiBuilder, cache: &Cache, name: &str) -> Result<PathBuf, HubError> {
    let failed = |error| classify(name, error);
    let api = builder.with_retries(3).build().map_err(failed)?;
    let info = match api.model(name.to_owned()).info().map_err(failed) {
        Ok(info) => info,
        Err(error @ HubError::Failed { .. }) => return held(cache, name).ok_or(error),
        Err(error) => return Err(error),
    };
    let files = info.siblings.into_iter().map(|file| file.rfilename);
    let wanted: Vec<String> = files.filter(|file| is_wanted(file)).collect();
    if !wanted.iter().any(|file| is_weights(file)) {
        let name = name.to_owned();
        return Err(HubError::NoWeights { name });
    }
    // All files of one revision, also if the model is changed meanwhile.
    let revision = Repo::with_revision(name.to_owned(), RepoType::Model, info.sha.clone());
    let (repo, held) = (api.repo(revision.clone()), cache.repo(revision));
    for file in &wanted {
        if held.get(file).is_none() {
            download(&repo, file).map_err(failed)?;
        }
    }
    let main = cache.model(name.to_owned());
    main.create_ref(&info.sha)
        .map_err(|error| failed(error.into()))?;
    Ok(main.pointer_path(&info.sha))
}

/// What the cache has of a model, for when the hub cannot be reached: the reference is written when
/// all files are there.
fn held(cache: &Cache, name: &str) -> Option<PathBuf> {
    let config = cache.model(name.to_owned()).get("config.json")?;
    warn!(
        model = name,
        "the hub cannot be reached; taking what its cache has"
    );
    config.parent().map(PathBuf::from)
}

fn is_wanted(file: &str) -> bool {
    SETTINGS.contains(&file) || is_weights(file)
}

/// Weights in a folder of their own belong to another form of the model.
fn is_weights(file: &str) -> bool {
    file.starts_with("model") && file.ends_with(".safetensors") && !file.contains('/')
}

fn download(repo: &ApiRepo, file: &str) -> Result<PathBuf, ApiError> {
    info!(file, "fetching");
    let path = repo.download_with_progress(file, Bar::new())?;
    info!(file, "fetched");
    Ok(path)
}

fn classify(name: &str, error: ApiError) -> HubError {
    let name = name.to_owned();
    match status(&error) {
        Some(404) => HubError::NotFound { name },
        Some(401 | 403) => HubError::Refused { name },
        _ => HubError::Failed {
            name,
            source: error,
        },
    }
}

fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(status) => Some(status),
            _ => None,
        },
        ApiError::TooManyRetries(error) => status(error),
        _ => None,
    }
}

/// A progress bar, where standard error is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let target = if stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let style = ProgressStyle::with_template(style).expect("it is a template");
        Self(ProgressBar::with_draw_target(None, target).with_style(style))
    }
}

impl Progress for Bar {
    fn init(&mut self, size: usize, filename: &str) {
        self.0.reset();
        self.0.set_length(size as u64);
        self.0.set_message(filename.to_owned());
    }

    fn update(&mut self, size: usize) {
        self.0.inc(size as u64);
    }

    fn finish(&mut self) {
        self.0.finish_and_clear();
    }
}
