//! The configuration file: every setting has a default, and all mistakes are reported at once.

mod backends;
mod reader;
mod server;
#[cfg(test)]
mod tests;
mod trace;
mod value;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use bytesize::ByteSize;
use deja_cache::{CacheLimits, Floor};
use deja_policy::{BreakerLimits, Limits, PluginChoice, PluginSettings};
use deja_proxy::{ProxySettings, ServerSettings};
use deja_trace::RecorderSettings;
use serde_json::Value;
use toml::de::DeTable;

pub(crate) use backends::{BackendKind, BackendSettings, Load, ModelSettings, ModelSource};
use reader::{Mistake, Mistakes, Section};
use value::{Setting, bytes, count};

/// The log has a place in memory for each line that may wait, from the start on.
const MOST_LINES: usize = 1 << 20;

/// All settings, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) server: ServerSettings,
    pub(crate) proxy: ProxySettings,
    pub(crate) cache: CacheLimits,
    pub(crate) plugins: PluginSettings,
    pub(crate) backends: Vec<BackendSettings>,
    /// Bytes that the weights of all loaded models may take, if there is a limit.
    pub(crate) model_bytes: Option<u64>,
    pub(crate) log: LogSettings,
    /// None where traffic is not recorded.
    pub(crate) trace: Option<RecorderSettings>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
    /// Lines that may wait to be written.
    pub(crate) max_waiting_lines: usize,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Human,
    /// A JSON object a line.
    Json,
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "\"human\" or \"json\"";

    fn read(value: &toml::de::DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The file has mistakes; all of them.
    #[error("{}", Report { path, mistakes })]
    Mistakes {
        path: PathBuf,
        mistakes: Vec<Mistake>,
    },
}

struct Report<'a> {
    path: &'a Path,
    mistakes: &'a [Mistake],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, count) = (self.path.display(), self.mistakes.len());
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{count} {noun} in {path}")?;
        self.mistakes
            .iter()
            .try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

/// A configuration file, as it was read.
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl ConfigFile {
    pub(crate) fn read(path: PathBuf) -> Result<Self, ConfigError> {
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(ConfigError::Unreadable { path, source }),
        }
    }
}

impl Config {
    /// The settings without a file.
    pub(crate) fn standard() -> Self {
        let Ok(config) = Self::parse("", Path::new("")) else {
            unreachable!("no settings, no mistakes")
        };
        config
    }

    /// The settings in the text of a file. Relative paths in it start from its own folder.
    pub(crate) fn from_text(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(text, folder).map_err(|mistakes| ConfigError::Mistakes {
            path: path.to_owned(),
            mistakes,
        })
    }

    /// Returns the settings in which another configuration differs, of those that are read at the
    /// start only. A new setting does not compile before it is said here which kind it is of.
    pub(crate) fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            server,
            log,
            trace,
            backends: _,
            proxy: _,
            cache: _,
            model_bytes: _,
            plugins: _,
        } = other;
        let ServerSettings {
            listen,
            max_connections,
            max_header_bytes,
            header_timeout,
            write_timeout,
            drain_timeout,
        } = &self.server;
        let LogSettings {
            format,
            max_waiting_lines,
        } = &self.log;
        let same = [
            ("server.listen", *listen == server.listen),
            (
                "server.max_connections",
                *max_connections == server.max_connections,
            ),
            (
                "server.max_header_bytes",
                *max_header_bytes == server.max_header_bytes,
            ),
            (
                "server.header_timeout",
                *header_timeout == server.header_timeout,
            ),
            (
                "server.write_timeout",
                *write_timeout == server.write_timeout,
            ),
            (
                "server.drain_timeout",
                *drain_timeout == server.drain_timeout,
            ),
            ("log.format", *format == log.format),
            (
                "log.max_waiting_lines",
                *max_waiting_lines == log.max_waiting_lines,
            ),
            ("trace", self.trace == *trace),
            (
                "backend (kind = \"mlx\", load = \"start\")",
                self.runs_all_of(other),
            ),
        ];
        let changed = same.into_iter().filter(|(_, same)| !same);
        changed.map(|(name, _)| name).collect()
    }

    /// Returns whether the engines that the other configuration loads at the start run already.
    fn runs_all_of(&self, other: &Self) -> bool {
        let engines = |config: &'_ Self| -> Vec<ModelSettings> {
            let kinds = config.backends.iter().map(|backend| &backend.kind);
            kinds.filter_map(BackendKind::engine).cloned().collect()
        };
        let running = engines(self);
        let mut wanted = engines(other).into_iter();
        wanted.all(|engine| engine.load != Load::Start || running.contains(&engine))
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Mistake>> {
        let (file, errors) = DeTable::parse_recoverable(text);
        let mistakes = Mistakes::new(text, errors);
        let config = resolve(Section::whole(&file, &mistakes), folder);
        let mistakes = mistakes.into_vec();
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes)
        }
    }
}

/// Reads every setting. Where one is wrong its default stands in, so that the others are read too.
fn resolve(mut file: Section<'_>, folder: &Path) -> Config {
    let mut section = file.section("server");
    let (server, mut proxy) = server::server(&mut section);
    section.finish();

    let mut section = file.section("log");
    let log = LogSettings {
        format: section.get("format", LogFormat::Human),
        max_waiting_lines: count(section.get("max_waiting_lines", 32_768)).min(MOST_LINES),
    };
    section.finish();

    let mut section = file.section("admin");
    server::admin(&mut section, &mut proxy);
    section.finish();

    let mut section = file.section("cache");
    let cache = server::cache(&mut section, &mut proxy);
    section.finish();

    let mut section = file.section("responses");
    server::responses(&mut section, &mut proxy);
    section.finish();

    let backends = backends::backends(&mut file, folder);

    let mut section = file.section("models");
    let model_bytes = section
        .optional("max_bytes")
        .map(|size: ByteSize| size.as_u64());
    proxy.models_timeout = section.get("list_timeout", proxy.models_timeout);
    section.finish();

    let mut section = file.section("plugins");
    let dir = folder.join(section.get("dir", PathBuf::from("plugins")));
    let cache_dir = section
        .optional("cache_dir")
        .map(|dir: PathBuf| folder.join(dir));
    let limits = plugin_limits(&mut section);
    section.finish();

    let keyers: Vec<_> = file
        .sections("keyer")
        .into_iter()
        .filter_map(keyer)
        .collect();
    let plugins = PluginSettings {
        dir: Some(dir),
        cache_dir: cache_dir.or_else(standard_cache_dir),
        keyers: if file.has("keyer") {
            keyers
        } else {
            vec![PluginChoice::new("exact")]
        },
        eviction: plugin(file.section("eviction"), "lru"),
        stats: plugin(file.section("stats"), "standard"),
        capacity: cache.capacity,
        limits,
    };
    let trace = trace::trace(&mut file, folder);
    file.finish();
    Config {
        server,
        proxy,
        cache,
        plugins,
        backends,
        model_bytes,
        log,
        trace,
    }
}

fn plugin_limits(section: &mut Section<'_>) -> Limits {
    let standard = Limits::default();
    let size = |bytes: usize| ByteSize::b(bytes as u64);
    Limits {
        deadline: section.get("call_timeout", standard.deadline),
        setup_deadline: section.get("start_timeout", standard.setup_deadline),
        memory_bytes: bytes(section.get("max_memory", size(standard.memory_bytes))),
        result_bytes: bytes(section.get("max_result", size(standard.result_bytes))),
        component_bytes: section
            .get("max_file", ByteSize::b(standard.component_bytes))
            .as_u64(),
        breaker: breaker_limits(section, standard.breaker),
        ..standard
    }
}

fn breaker_limits(section: &mut Section<'_>, standard: BreakerLimits) -> BreakerLimits {
    BreakerLimits {
        failures: section.get("max_failures", standard.failures),
        first_pause: section.get("first_pause", standard.first_pause),
        longest_pause: section.get("longest_pause", standard.longest_pause),
    }
}

/// Below `$DEJA_HOME` if that is set, as `cargo xtask` does, and otherwise where the system has it.
fn standard_cache_dir() -> Option<PathBuf> {
    match std::env::var_os("DEJA_HOME") {
        Some(home) => Some(Path::new(&home).join("compiled")),
        None => Some(dirs::cache_dir()?.join("deja")),
    }
}

fn keyer(mut section: Section<'_>) -> Option<PluginChoice> {
    let name: Option<String> = section.required("plugin");
    let config = section.get("config", Value::Null);
    let floor = section.get("floor", Floor::Held);
    section.finish();
    Some(PluginChoice {
        config,
        floor,
        ..PluginChoice::new(name?)
    })
}

fn plugin(mut section: Section<'_>, default: &str) -> PluginChoice {
    let name = section.get("plugin", default.to_owned());
    let config = section.get("config", Value::Null);
    section.finish();
    PluginChoice {
        config,
        ..PluginChoice::new(name)
    }
}
