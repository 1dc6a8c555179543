//! The backends: who answers when the cache does not.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use deja_engine::Limits;
use deja_proxy::{ClientKey, Pattern, Secret, Unsupported, UpstreamSettings, Url};

use crate::hub;

use super::{
    reader::Section,
    value::{Alias, Setting, SizeOrOff, bytes, count},
};

/// The model that is meant by `"default"`, below the folder of models.
const DEFAULT_MODEL: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// A backend and the models that it answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackendSettings {
    pub(crate) name: String,
    pub(crate) kind: BackendKind,
    pub(crate) models: Vec<Pattern>,
    pub(crate) aliases: Vec<Alias>,
}

/// What a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BackendKind {
    /// Our own engine.
    Engine(ModelSettings),
    /// Another server.
    Upstream(UpstreamSettings),
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelSource {
    /// A GGUF file, or a Hugging Face folder.
    Path(PathBuf),
    /// Hugging Face's hub, by this name.
    Hub(String),
}

/// The engine's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelSettings {
    pub(crate) source: ModelSource,
    /// Tokens that prompt and answer may have together, if fewer than the model's own limit.
    pub(crate) context_length: Option<u32>,
    /// How long the model may take to load.
    pub(crate) start_timeout: Duration,
    /// Generations that may wait or run at once.
    pub(crate) max_waiting: usize,
    /// When the model is loaded.
    pub(crate) load: Load,
    /// How long the model stays loaded without a request, if not for ever.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long a request waits for a worker, for a model on its way, or for memory.
    pub(crate) patience: Duration,
    /// What its worker may use.
    pub(crate) limits: Limits,
}

/// When a model is loaded for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// When the server starts, which fails if it cannot be loaded.
    Start,
    /// When somebody asks for it.
    Demand,
}

impl Setting for Load {
    const EXPECTED: &'static str = "\"start\" or \"demand\"";

    fn read(value: &toml::de::DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "start" => Some(Self::Start),
            "demand" => Some(Self::Demand),
            _ => None,
        }
    }
}

impl BackendKind {
    /// The engine's settings, if it is the engine.
    pub(crate) fn engine(&self) -> Option<&ModelSettings> {
        match self {
            Self::Engine(model) => Some(model),
            Self::Upstream(_) => None,
        }
    }
}

/// The written kind of a backend.
enum Kind {
    Mlx,
    Upstream,
}

impl Setting for Kind {
    const EXPECTED: &'static str = "\"mlx\" or \"upstream\"";

    fn read(value: &toml::de::DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "mlx" => Some(Self::Mlx),
            "upstream" => Some(Self::Upstream),
            _ => None,
        }
    }
}

/// Reads all backends; without any, the engine with its default model is the only one.
pub(super) fn backends(file: &mut Section<'_>, folder: &Path) -> Vec<BackendSettings> {
    if !file.has("backend") {
        return vec![BackendSettings {
            name: "mlx".to_owned(),
            kind: BackendKind::Engine(ModelSettings::default()),
            models: any_model(),
            aliases: Vec::new(),
        }];
    }
    file.sections("backend")
        .into_iter()
        .filter_map(|section| backend(section, folder))
        .collect()
}

fn backend(mut section: Section<'_>, folder: &Path) -> Option<BackendSettings> {
    let name: Option<String> = section.optional("name");
    let models = section.get("models", any_model());
    let aliases = section.get("aliases", Vec::new());
    // Without its kind nobody knows which other settings belong to it.
    let kind = match section.required("kind")? {
        Kind::Mlx => Some(BackendKind::Engine(model(&mut section, folder))),
        Kind::Upstream => upstream(&mut section, name.clone()).map(BackendKind::Upstream),
    };
    section.finish();
    let kind = kind?;
    let name = name.unwrap_or_else(|| match &kind {
        BackendKind::Engine(_) => "mlx".to_owned(),
        BackendKind::Upstream(upstream) => upstream.name.clone(),
    });
    Some(BackendSettings {
        name,
        kind,
        models,
        aliases,
    })
}

fn any_model() -> Vec<Pattern> {
    vec![Pattern::new("*").expect("it is a pattern")]
}

fn model(section: &mut Section<'_>, folder: &Path) -> ModelSettings {
    let standard = ModelSettings::default();
    let model: String = section.get("model", "default".to_owned());
    let path = folder.join(&model);
    ModelSettings {
        source: if model == "default" {
            standard.source
        } else if hub::is_name(&model) && !path.exists() {
            ModelSource::Hub(model)
        } else {
            ModelSource::Path(path)
        },
        context_length: section.optional("context_length"),
        start_timeout: section.get("start_timeout", standard.start_timeout),
        max_waiting: count(section.get("max_waiting", standard.max_waiting as u64)),
        load: section.get("load", standard.load),
        idle_timeout: section.optional("idle_timeout"),
        patience: section.get("patience", standard.patience),
        limits: limits(section),
    }
}

fn limits(section: &mut Section<'_>) -> Limits {
    let standard = Limits::default();
    let size = |bytes: usize| ByteSize::b(bytes as u64);
    let kept = SizeOrOff(size(standard.prefix_cache_bytes));
    Limits {
        max_running: count(section.get("max_running", standard.max_running as u64)),
        kv_bytes: bytes(section.get("kv_bytes", size(standard.kv_bytes))),
        prefix_cache_bytes: bytes(section.get("prefix_cache_bytes", kept).0),
        memory_bytes: section.optional("memory_bytes").map(bytes),
        spare_bytes: section.optional("spare_bytes").map(bytes),
        wired_bytes: section.optional("wired_bytes").map(bytes),
    }
}

fn upstream(section: &mut Section<'_>, name: Option<String>) -> Option<UpstreamSettings> {
    let api = section.required("api");
    let url: Option<Url> = section.required("url");
    let api_key = secret(section, "api_key_env");
    let connect_timeout = section.get("connect_timeout", Duration::from_secs(10));
    let idle_timeout = section.get("idle_timeout", Duration::from_mins(5));
    let answer_timeout = section.get("answer_timeout", Duration::from_hours(1));
    let responses = section.optional("responses");
    let stream_usage = section.get("stream_usage", true);
    let unsupported = section.get("unsupported", Unsupported::Refuse);
    let client_key = section.get("client_key", ClientKey::SameApi);
    let list_models_with_client_key = section.get("list_models_with_client_key", false);
    // A key of the server's own is for the endpoints that it serves, unless it is said to be for more.
    let pass_through = section.get("pass_through", !section.has("api_key_env"));
    let forward_headers = section.get("forward_headers", Vec::new());
    let url = url?;
    let host = || url.host_str().unwrap_or_default().to_owned();
    Some(UpstreamSettings {
        name: name.unwrap_or_else(host),
        api: api?,
        url,
        api_key,
        connect_timeout,
        idle_timeout,
        answer_timeout,
        responses,
        stream_usage,
        unsupported,
        client_key,
        list_models_with_client_key,
        pass_through,
        forward_headers,
    })
}

/// Reads the secret in the environment variable that a setting names, without white space around
/// it: files that variables are set from end with a line break.
pub(super) fn secret(section: &mut Section<'_>, setting: &'static str) -> Option<Secret> {
    let variable: String = section.optional(setting)?;
    let value = std::env::var(&variable).unwrap_or_default();
    let problem = match value.trim() {
        "" => "is not set",
        secret if secret.contains(char::is_control) => {
            "holds a control character, which no header can carry"
        }
        secret => return Some(Secret::new(secret)),
    };
    let problem = format!("names the environment variable `{variable}`, which {problem}");
    section.mistake(setting, &problem);
    None
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            source: ModelSource::Path(default_model()),
            context_length: None,
            start_timeout: Duration::from_mins(2),
            max_waiting: 256,
            load: Load::Start,
            idle_timeout: None,
            patience: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

/// Where `cargo xtask setup` puts the default model: below `$DEJA_HOME`, which is `.deja` if not set.
fn default_model() -> PathBuf {
    let home = std::env::var_os("DEJA_HOME").map_or_else(|| PathBuf::from(".deja"), PathBuf::from);
    home.join("models").join(DEFAULT_MODEL)
}
