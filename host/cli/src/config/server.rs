//! The server, its cache, and who may do what.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytesize::ByteSize;
use deja_cache::{CacheLimits, Capacity, HeaderRules};
use deja_proxy::{ConversationLimits, Hosts, Origins, PartitionBy, ProxySettings, Secret, ServerSettings};
use tokio::sync::Semaphore;

use super::{
    backends,
    reader::Section,
    value::{TimeToLive, bytes, count},
};

/// The token for `/admin` where no setting names its variable.
fn standard_token() -> Option<Secret> {
    let token = std::env::var("DEJA_ADMIN_TOKEN").unwrap_or_default();
    let token = token.trim();
    (!token.is_empty()).then(|| Secret::new(token))
}

/// Reads who may use `/admin`.
pub(super) fn admin(section: &mut Section<'_>, proxy: &mut ProxySettings) {
    let needs_token = section.get("require_token", false);
    proxy.admin_needs_token = needs_token;
    proxy.admin_token = backends::secret(section, "token_env").or_else(standard_token);
    if needs_token && proxy.admin_token.is_none() && !section.has("token_env") {
        section.mistake("require_token", "needs a token: set `admin.token_env`");
    }
}

pub(super) fn server(section: &mut Section<'_>) -> (ServerSettings, ProxySettings) {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081));
    let loopback = Origins::Named {
        loopback: true,
        origins: Vec::new(),
    };
    let server = ServerSettings {
        listen: section.get("listen", listen),
        max_connections: count(section.get("max_connections", 10_000)).min(Semaphore::MAX_PERMITS),
        max_header_bytes: bytes(section.get("max_header_bytes", ByteSize::kib(64))),
        header_timeout: section.get("header_timeout", Duration::from_secs(30)),
        write_timeout: section.get("write_timeout", Duration::from_mins(1)),
        drain_timeout: section.get("drain_timeout", Duration::from_secs(30)),
    };
    let proxy = ProxySettings {
        max_body_bytes: bytes(section.get("max_body_bytes", ByteSize::mib(32))),
        max_bodies_bytes: bytes(section.get("max_bodies_bytes", ByteSize::gib(1))),
        max_parsed_body_bytes: bytes(section.get("max_parsed_body_bytes", ByteSize::mib(256))),
        max_parse_bytes: bytes(section.get("max_parse_bytes", ByteSize::gib(1))),
        max_answer_bytes: bytes(section.get("max_answer_bytes", ByteSize::mib(64))),
        max_in_flight_bytes: bytes(section.get("max_in_flight_bytes", ByteSize::gib(1))),
        max_requests: count(section.get("max_requests", 1024)),
        max_fetches: count(section.get("max_fetches", 1024)),
        max_share: section.optional("max_share"),
        body_timeout: section.get("body_timeout", Duration::from_mins(1)),
        head_timeout: section.get("head_timeout", Duration::from_secs(8)),
        keep_alive: section.get("keep_alive", Duration::from_secs(5)),
        models_timeout: Duration::from_secs(5),
        cors: section.get("cors_origins", loopback),
        hosts: section.get("hosts", Hosts::default()),
        partition: PartitionBy::ApiKey,
        headers: HeaderRules::default(),
        conversations: ConversationLimits {
            max_entries: 0,
            max_bytes: 0,
            ttl: Duration::ZERO,
        },
        keep_requests: true,
        memo_entries: 0,
        admin_token: None,
        admin_needs_token: false,
    };
    (server, proxy)
}

/// Reads which responses can be continued.
pub(super) fn responses(section: &mut Section<'_>, proxy: &mut ProxySettings) {
    proxy.conversations = ConversationLimits {
        max_entries: count(section.get("max_entries", 10_000)),
        max_bytes: bytes(section.get("max_bytes", ByteSize::mib(256))),
        ttl: section.get("ttl", Duration::from_hours(24)),
    };
}

pub(super) fn cache(section: &mut Section<'_>, proxy: &mut ProxySettings) -> CacheLimits {
    proxy.partition = section.get("partition", PartitionBy::ApiKey);
    proxy.headers = HeaderRules::ignoring(section.get("ignore_headers", Vec::new()));
    proxy.keep_requests = section.get("keep_requests", true);
    proxy.memo_entries = count(section.get("memo_entries", 10_000));
    let capacity = Capacity {
        entries: section.get("max_entries", 10_000),
        bytes: section.get("max_bytes", ByteSize::mib(256)).as_u64(),
    };
    let TimeToLive(ttl) = section.get("ttl", TimeToLive(Some(Duration::from_hours(24))));
    CacheLimits {
        capacity,
        ttl,
        max_share: section.optional("max_share"),
    }
}
