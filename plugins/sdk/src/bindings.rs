//! Bindings to the contract, as wit-bindgen writes them.
//!
//! Each interface that plugins export has a world of its own here, not the contract's world that
//! joins two of them: so what all kinds of plugins share is generated once. `wit-component` joins
//! the worlds again that a plugin is made of.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::pedantic
)]

pub mod plugin {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package deja:sdk;
            world plugin {
                import deja:policy/logging@1.0.0;
                export deja:policy/plugin@1.0.0;
            }
        ",
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "deja_plugin::bindings::plugin",
    });
}

pub mod keyer {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package deja:sdk;
            world keyer {
                import deja:policy/http-request@1.0.0;
                export deja:policy/keyer@1.0.0;
            }
        ",
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "deja_plugin::bindings::keyer",
    });
}

pub mod eviction {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package deja:sdk;
            world eviction {
                export deja:policy/eviction@1.0.0;
            }
        ",
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "deja_plugin::bindings::eviction",
    });
}

pub mod stats {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package deja:sdk;
            world stats {
                export deja:policy/stats@1.0.0;
            }
        ",
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "deja_plugin::bindings::stats",
    });
}
