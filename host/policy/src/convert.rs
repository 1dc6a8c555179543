//! Between the contract's types and the cache's.

use deja_cache::{
    Capacity, Change, Decision, Edit, Endpoint, EntryFacts, Gauges, Outcome, OutcomeKind, Recipe,
    RemovalCause, Sample,
};

use crate::contract::{eviction, http_request, keyer, stats};

impl From<http_request::Role> for deja_wire::Role {
    fn from(role: http_request::Role) -> Self {
        match role {
            http_request::Role::System => Self::System,
            http_request::Role::User => Self::User,
            http_request::Role::Assistant => Self::Assistant,
            http_request::Role::Tool => Self::Tool,
        }
    }
}

impl From<deja_wire::Role> for http_request::Role {
    fn from(role: deja_wire::Role) -> Self {
        match role {
            deja_wire::Role::System => Self::System,
            deja_wire::Role::User => Self::User,
            deja_wire::Role::Assistant => Self::Assistant,
            deja_wire::Role::Tool => Self::Tool,
        }
    }
}

impl From<deja_wire::Text> for http_request::Text {
    fn from(text: deja_wire::Text) -> Self {
        Self {
            pointer: text.pointer,
            role: text.role.into(),
            content: text.content,
        }
    }
}

impl From<keyer::Decision> for Decision {
    fn from(decision: keyer::Decision) -> Self {
        match decision {
            keyer::Decision::Cache(recipe) => Self::Cache(recipe.into()),
            keyer::Decision::Lookup(recipe) => Self::Lookup(recipe.into()),
            keyer::Decision::Bypass(reason) => Self::Bypass(reason),
        }
    }
}

impl From<keyer::Recipe> for Recipe {
    fn from(recipe: keyer::Recipe) -> Self {
        Self {
            edits: recipe.edits.into_iter().map(Edit::from).collect(),
            partition: recipe.partition,
            ttl_seconds: recipe.ttl_seconds,
            tags: recipe.tags,
        }
    }
}

impl From<keyer::Edit> for Edit {
    fn from(edit: keyer::Edit) -> Self {
        Self {
            rule: edit.rule,
            change: edit.change.into(),
        }
    }
}

impl From<keyer::Change> for Change {
    fn from(change: keyer::Change) -> Self {
        match change {
            keyer::Change::Remove(pointer) => Self::Remove { pointer },
            keyer::Change::Replace(keyer::Assignment { pointer, json }) => {
                Self::Replace { pointer, json }
            }
            keyer::Change::Rewrite(keyer::Splice {
                pointer,
                start,
                end,
                replacement,
            }) => Self::Rewrite {
                pointer,
                start,
                end,
                replacement,
            },
        }
    }
}

impl From<EntryFacts> for eviction::Entry {
    fn from(entry: EntryFacts) -> Self {
        Self {
            id: entry.id.0,
            key: entry.key,
            bytes: entry.bytes,
            cost_ms: entry.cost_ms,
            prompt_tokens: entry.prompt_tokens,
            output_tokens: entry.output_tokens,
            at_ms: entry.at_ms,
        }
    }
}

impl From<RemovalCause> for eviction::Cause {
    fn from(cause: RemovalCause) -> Self {
        match cause {
            RemovalCause::Evicted => Self::Evicted,
            RemovalCause::Expired => Self::Expired,
            RemovalCause::Purged => Self::Purged,
            RemovalCause::Replaced => Self::Replaced,
        }
    }
}

impl From<Capacity> for eviction::Capacity {
    fn from(capacity: Capacity) -> Self {
        Self {
            entries: capacity.entries,
            bytes: capacity.bytes,
        }
    }
}

impl From<Outcome> for stats::Event {
    fn from(outcome: Outcome) -> Self {
        Self {
            at_ms: outcome.at_ms,
            outcome: outcome.kind.into(),
            first_us: outcome.first_us,
            latency_us: outcome.latency_us,
            saved_ms: outcome.saved_ms,
            prompt_tokens: outcome.prompt_tokens,
            output_tokens: outcome.output_tokens,
            bytes: outcome.bytes,
        }
    }
}

impl From<stats::Sample> for Sample {
    fn from(sample: stats::Sample) -> Self {
        Self {
            name: sample.name,
            labels: sample.labels,
            value: sample.value,
        }
    }
}

impl From<Endpoint> for http_request::Endpoint {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::ChatCompletions => Self::ChatCompletions,
            Endpoint::Completions => Self::Completions,
            Endpoint::Embeddings => Self::Embeddings,
            Endpoint::Responses => Self::Responses,
            Endpoint::Messages => Self::Messages,
            Endpoint::CountTokens => Self::CountTokens,
        }
    }
}

impl From<OutcomeKind> for stats::Outcome {
    fn from(kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Hit => Self::Hit,
            OutcomeKind::Miss => Self::Miss,
            OutcomeKind::Coalesced => Self::Coalesced,
            OutcomeKind::Bypass => Self::Bypass,
            OutcomeKind::Error => Self::Error,
        }
    }
}

impl From<Gauges> for stats::Gauges {
    fn from(gauges: Gauges) -> Self {
        Self {
            at_ms: gauges.at_ms,
            entries: gauges.entries,
            bytes: gauges.bytes,
            capacity_entries: gauges.capacity_entries,
            capacity_bytes: gauges.capacity_bytes,
            evictions: gauges.evictions,
        }
    }
}
