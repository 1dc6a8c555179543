//! Bindings to `wit/deja-policy.wit`.
//!
//! One world that has every interface, where each plugin has some: so the types are generated once,
//! and each plugin is looked at through the interfaces of its kind.

#![allow(missing_docs, unreachable_pub, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package deja:host;

        world every-plugin {
            import deja:policy/logging@1.0.0;
            import deja:policy/http-request@1.0.0;
            export deja:policy/plugin@1.0.0;
            export deja:policy/keyer@1.0.0;
            export deja:policy/eviction@1.0.0;
            export deja:policy/stats@1.0.0;
        }
    ",
    with: {
        "deja:policy/http-request.request": crate::contract::CurrentRequest,
    },
});

pub use deja::policy::{http_request, logging};
pub use exports::deja::policy::{eviction, keyer, plugin, stats};

/// Stands for the one request that an instance sees at a time.
pub struct CurrentRequest;
