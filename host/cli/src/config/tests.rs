use std::time::Duration;

use deja_cache::{Capacity, Fraction};
use deja_proxy::{PartitionBy, Unsupported};
use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
    Config::parse(text, Path::new("/etc/deja"))
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text)
        .expect_err("it has mistakes")
        .iter()
        .map(Mistake::to_string)
        .collect()
}

#[test]
fn nothing_has_to_be_set() {
    let config = Config::standard();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.trace, None);
    let recording = parse("[trace]").expect("it is right").trace;
    assert_eq!(
        recording.expect("it is on").dir,
        Path::new("/etc/deja/traces")
    );
    assert_eq!(config.plugins.keyers, [PluginChoice::new("exact")]);
    assert_eq!(config.plugins.dir, Some(PathBuf::from("plugins")));
    assert_eq!(config.cache.capacity.bytes, 256 << 20);
    let [backend] = &config.backends[..] else {
        panic!("there is one backend");
    };
    let model = backend.kind.engine().expect("it is the engine");
    assert!(
        matches!(&model.source, ModelSource::Path(path) if path.ends_with("models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    );
}

/// A configuration that sets what can be set, each to another value than its default.
const EVERYTHING: &str = r#"
[server]
listen = "[::1]:0"
max_body_bytes = 1000
header_timeout = "1s"
body_timeout = "2s"
drain_timeout = "3s"
max_header_bytes = "16KiB"
max_answer_bytes = "1MiB"
max_in_flight_bytes = "32MiB"
max_bodies_bytes = "64MiB"
max_parsed_body_bytes = "8MiB"
max_parse_bytes = "16MiB"
max_requests = 5
max_fetches = 4
max_share = 0.25
max_connections = 3
write_timeout = "4s"
head_timeout = "20s"
keep_alive = "5s"
cors_origins = ["loopback", "https://app.example"]
[log]
format = "json"
max_waiting_lines = 6
[admin]
token_env = "PATH"
[[backend]]
kind = "mlx"
name = "own"
models = ["tiny*"]
aliases = { "claude-*" = "tiny" }
model = "tiny"
context_length = 0x100
start_timeout = "1min"
max_waiting = 3
[[backend]]
kind = "upstream"
api = "anthropic"
url = "https://api.anthropic.com"
api_key_env = "PATH"
connect_timeout = "1s"
idle_timeout = "2s"
stream_usage = false
unsupported = "drop"
[cache]
keep_requests = false
memo_entries = 9
max_bytes = "1MiB"
max_entries = 7
ttl = "forever"
partition = "none"
max_share = 0.5
[plugins]
dir = "drop"
call_timeout = "50ms"
start_timeout = "1s"
max_memory = "8MiB"
max_result = "1MiB"
max_file = "2MiB"
[[keyer]]
plugin = "a"
[[keyer]]
plugin = "b"
config = { deep = [{ n = 1, x = 0.5, on = true }], s = "" }
[eviction]
plugin = "sieve"
[stats]
plugin = "mine"
"#;

#[test]
fn everything_can_be_set() {
    let config = parse(EVERYTHING).expect("it is right");
    assert_eq!(config.server.drain_timeout, Duration::from_secs(3));
    assert_eq!(config.proxy.max_body_bytes, 1000);
    assert_eq!(config.proxy.max_share, Fraction::new(0.25));
    assert_eq!(config.proxy.head_timeout, Duration::from_secs(20));
    assert_eq!(config.proxy.max_bodies_bytes, 64 << 20);
    assert_eq!(config.proxy.max_in_flight_bytes, 32 << 20);
    assert_eq!(
        (
            config.proxy.max_parsed_body_bytes,
            config.proxy.max_parse_bytes
        ),
        (8 << 20, 16 << 20)
    );
    assert_eq!(config.proxy.partition, PartitionBy::None);
    let capacity = Capacity {
        entries: 7,
        bytes: 1 << 20,
    };
    assert_eq!(
        config.cache,
        CacheLimits {
            capacity,
            ttl: None,
            max_share: Fraction::new(0.5)
        }
    );
    assert_eq!(
        (config.proxy.max_requests, config.proxy.memo_entries),
        (5, 9)
    );
    assert!(config.proxy.admin_token.is_some() && !config.proxy.keep_requests);
    assert_eq!(
        (config.log.format, config.log.max_waiting_lines),
        (LogFormat::Json, 6)
    );
    let [own, upstream] = &config.backends[..] else {
        panic!("there are two backends");
    };
    let model = own.kind.engine().expect("it is the engine");
    assert_eq!(model.source, ModelSource::Path("/etc/deja/tiny".into()));
    assert_eq!((model.context_length, model.max_waiting), (Some(256), 3));
    assert_eq!(upstream.name, "api.anthropic.com");
    let BackendKind::Upstream(settings) = &upstream.kind else {
        panic!("it is an upstream");
    };
    assert!(!settings.stream_usage);
    assert_eq!(settings.unsupported, Unsupported::Drop);
    assert_eq!(config.plugins.dir, Some("/etc/deja/drop".into()));
    assert_eq!(config.plugins.limits.deadline, Duration::from_millis(50));
    let settings = json!({"deep": [{"n": 1, "x": 0.5, "on": true}], "s": ""});
    assert_eq!(config.plugins.keyers[1].config, settings);
    assert_eq!(config.plugins.eviction.name, "sieve");
    assert_eq!(config.plugins.stats.name, "mine");
}

#[test]
fn what_an_engine_may_use_can_be_set() {
    let config = parse(
        r#"
        [[backend]]
        kind = "mlx"
        max_running = 2
        kv_bytes = "1MiB"
        prefix_cache_bytes = "2MiB"
        memory_bytes = "3MiB"
        spare_bytes = "4MiB"
        wired_bytes = "5MiB"
        "#,
    )
    .expect("it is right");
    let model = config.backends[0].kind.engine().expect("it is the engine");
    let limits = deja_engine::Limits {
        max_running: 2,
        kv_bytes: 1 << 20,
        prefix_cache_bytes: 2 << 20,
        memory_bytes: Some(3 << 20),
        spare_bytes: Some(4 << 20),
        wired_bytes: Some(5 << 20),
    };
    assert_eq!(model.limits, limits);
}

#[test]
fn when_models_are_loaded_can_be_set() {
    let text = "[[backend]]\nkind = \"mlx\"\nload = \"demand\"\nidle_timeout = \"10min\"\n\
                patience = \"5s\"\n[models]\nmax_bytes = \"1GiB\"\n";
    let config = parse(text).expect("it is right");
    let model = config.backends[0].kind.engine().expect("it is the engine");
    assert_eq!(model.load, Load::Demand);
    let times = (model.idle_timeout, model.patience);
    let set = (Some(Duration::from_mins(10)), Duration::from_secs(5));
    assert_eq!(times, set);
    assert_eq!(config.model_bytes, Some(1 << 30));
    assert_eq!(Config::standard().model_bytes, None);
    // Nothing waits for what is loaded later.
    assert_eq!(Config::standard().needs_restart(&config), [""; 0]);
}

#[test]
fn only_the_prefix_cache_can_be_turned_off_by_its_size() {
    let engine = |setting: &str| parse(&format!("[[backend]]\nkind = \"mlx\"\n{setting}\n"));
    for zero in ["0", "\"0\"", "\"0MiB\""] {
        let config = engine(&format!("prefix_cache_bytes = {zero}")).expect("it is right");
        let model = config.backends[0].kind.engine().expect("it is the engine");
        assert_eq!(model.limits.prefix_cache_bytes, 0);
    }
    for wrong in [
        "kv_bytes = 0",
        "memory_bytes = \"0\"",
        "prefix_cache_bytes = -1",
    ] {
        assert!(engine(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn how_plugins_are_kept_and_left_alone_can_be_set() {
    let text = "[plugins]\ncache_dir = \"compiled\"\nmax_failures = 3\n\
                first_pause = \"1s\"\nlongest_pause = \"2s\"\n";
    let plugins = parse(text).expect("it is right").plugins;
    assert_eq!(plugins.cache_dir, Some("/etc/deja/compiled".into()));
    let breaker = BreakerLimits {
        failures: 3,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(2),
    };
    assert_eq!(plugins.limits.breaker, breaker);
}

#[test]
fn traffic_is_recorded_where_a_section_says_so() {
    let trace = |text| parse(text).expect("it is right").trace;
    assert_eq!(trace(""), None);
    let standard = trace("[trace]").expect("it is on");
    assert_eq!(standard.dir, Path::new("/etc/deja/traces"));
    let text = "[trace]\ndir = \"recorded\"\nbodies = false\nmax_bytes = \"1MiB\"\n\
                max_age = \"1h\"\nmax_segment_bytes = \"100KiB\"\nflush = \"2s\"\n";
    let set = RecorderSettings {
        dir: "/etc/deja/recorded".into(),
        max_bytes: 1 << 20,
        max_age: Duration::from_hours(1),
        max_segment_bytes: 100 << 10,
        flush: Duration::from_secs(2),
        bodies: false,
    };
    assert_eq!(trace(text), Some(set));
}

#[test]
fn what_is_unsupported_is_refused_unless_it_may_be_dropped() {
    let upstream =
        "[[backend]]\nkind = \"upstream\"\napi = \"openai\"\nurl = \"http://a.example\"\n";
    let config = parse(upstream).expect("it is right");
    assert!(matches!(
        &config.backends[0].kind,
        BackendKind::Upstream(settings) if settings.unsupported == Unsupported::Refuse
    ));
    let found = mistakes(&format!("{upstream}unsupported = true\n"));
    let expected = "line 5: `backend.unsupported` must be \"refuse\" or \"drop\"";
    assert_eq!(found, [expected]);
}

#[test]
fn all_mistakes_are_reported_each_with_its_line() {
    let text = "[server]\nlisten = \"8081\"\n\n[cache]\nmax_byte = \"1MiB\"\nttl = 24\n\
                [[keyer]]\nconfig = 7\n[[backend]]\nkind = \"cuda\"\n[ca]\n";
    assert_eq!(
        mistakes(text),
        [
            "line 2: `server.listen` must be an address and a port, like \"127.0.0.1:8081\"",
            "line 5: unknown setting `cache.max_byte`; did you mean `max_bytes`?",
            "line 6: `cache.ttl` must be a time above 0, like \"24h\", or \"forever\"",
            "line 7: `keyer.plugin` is missing",
            "line 8: `keyer.config` must be a table without dates",
            "line 10: `backend.kind` must be \"mlx\" or \"upstream\"",
            "line 11: unknown setting `ca`; did you mean `cache`?",
        ]
    );
}

#[test]
fn broken_toml_is_reported_beside_the_rest() {
    let found = mistakes("[cache]\nmax_entries = 0\nttl = \n[server]\nlisten = 7\n");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1].starts_with("line 3: "), "{found:?}");
}

#[test]
fn sections_of_the_wrong_kind_are_mistakes() {
    let found = mistakes("server = 7\nkeyer = { plugin = \"exact\" }\n");
    assert_eq!(
        found,
        [
            "line 1: `server` must be a table",
            "line 2: `keyer` must be a list of tables: `[[keyer]]`"
        ]
    );
}
