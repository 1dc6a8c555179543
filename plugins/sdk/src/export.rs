//! The macros that make a component of a policy. A plugin's account of itself comes from its
//! `Cargo.toml`.

/// Makes a keyer of a function: `fn(&Request) -> Result<Decision, String>`, or with the type of its
/// [`Settings`](crate::Settings), `fn(&Request, &Settings) -> Result<Decision, String>`.
#[macro_export]
macro_rules! keyer {
    ($decide:path) => {
        const _: () = {
            struct Keyer;

            impl $crate::keyer::Keyer for Keyer {
                fn decide(
                    request: &$crate::keyer::Request,
                ) -> Result<$crate::keyer::Decision, String> {
                    $decide(request)
                }
            }

            $crate::export_keyer!(Keyer);
        };
    };
    ($decide:path, $settings:ty) => {
        const _: () = {
            static SETTINGS: $crate::SettingsCell<$settings> = $crate::SettingsCell::new();

            struct Keyer;

            impl $crate::keyer::Keyer for Keyer {
                fn decide(
                    request: &$crate::keyer::Request,
                ) -> Result<$crate::keyer::Decision, String> {
                    $decide(request, SETTINGS.get())
                }
            }

            $crate::export_keyer!(
                Keyer,
                <$settings as $crate::Settings>::schema(),
                |config: &str| SETTINGS.configure(config)
            );
        };
    };
}

/// Makes an eviction policy of a type that implements
/// [`EvictionPolicy`](crate::eviction::EvictionPolicy).
#[macro_export]
macro_rules! eviction_policy {
    ($policy:ty) => {
        $crate::export_account!(
            eviction,
            $policy,
            $crate::eviction::EvictionPolicy,
            Eviction,
            Policy
        );
    };
}

/// Makes a stats component of a type that implements [`StatsAccount`](crate::stats::StatsAccount).
#[macro_export]
macro_rules! stats_account {
    ($account:ty) => {
        $crate::export_account!(
            stats,
            $account,
            $crate::stats::StatsAccount,
            Stats,
            Collector
        );
    };
}

/// What the two macros above have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! export_account {
    ($kind:ident, $account:ty, $policy:path, $guest:ident, $resource:ident) => {
        const _: () = {
            type Settings = <$account as $policy>::Settings;

            static SETTINGS: $crate::SettingsCell<Settings> = $crate::SettingsCell::new();

            impl $crate::$kind::Configured for $account {
                fn settings() -> &'static Settings {
                    SETTINGS.get()
                }
            }

            struct Plugin;

            impl $crate::$kind::$guest for Plugin {
                type $resource = $crate::$kind::Account<$account>;
            }

            $crate::export_plugin!(
                $kind,
                Plugin,
                <Settings as $crate::Settings>::schema(),
                |config: &str| SETTINGS.configure(config)
            );
        };
    };
}

/// Makes a component of a type that implements [`Keyer`](crate::keyer::Keyer) and takes no
/// settings; or such as this JSON Schema tells and this function, a
/// `fn(&str) -> Result<(), String>`, takes.
#[macro_export]
macro_rules! export_keyer {
    ($plugin:ident) => {
        $crate::export_keyer!($plugin, $crate::NO_SETTINGS, $crate::no_settings);
    };
    ($plugin:ident, $schema:expr, $configure:expr) => {
        // Elsewhere a keyer is asked about requests that no host shows.
        #[cfg(target_family = "wasm")]
        impl $crate::bindings::keyer::exports::deja::policy::keyer::Guest for $plugin {
            fn decide(request: &$crate::keyer::Request) -> Result<$crate::keyer::Decision, String> {
                <Self as $crate::keyer::Keyer>::decide(request)
            }
        }

        #[cfg(not(target_family = "wasm"))]
        const _: fn(&$crate::keyer::Request) -> Result<$crate::keyer::Decision, String> =
            <$plugin as $crate::keyer::Keyer>::decide;

        $crate::export_plugin!(keyer, $plugin, $schema, $configure);
    };
}

/// Makes a component of a type that implements [`Eviction`](crate::eviction::Eviction) and takes no
/// settings; or such as this JSON Schema tells and this function takes.
#[macro_export]
macro_rules! export_eviction {
    ($plugin:ident) => {
        $crate::export_plugin!(eviction, $plugin, $crate::NO_SETTINGS, $crate::no_settings);
    };
    ($plugin:ident, $schema:expr, $configure:expr) => {
        $crate::export_plugin!(eviction, $plugin, $schema, $configure);
    };
}

/// Makes a component of a type that implements [`Stats`](crate::stats::Stats) and takes no
/// settings; or such as this JSON Schema tells and this function takes.
#[macro_export]
macro_rules! export_stats {
    ($plugin:ident) => {
        $crate::export_plugin!(stats, $plugin, $crate::NO_SETTINGS, $crate::no_settings);
    };
    ($plugin:ident, $schema:expr, $configure:expr) => {
        $crate::export_plugin!(stats, $plugin, $schema, $configure);
    };
}

/// What all macros above have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! export_plugin {
    ($kind:ident, $plugin:ident, $schema:expr, $configure:expr) => {
        impl $crate::Plugin for $plugin {
            fn describe() -> $crate::Descriptor {
                $crate::log::panics();
                $crate::Descriptor {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    summary: env!("CARGO_PKG_DESCRIPTION").to_owned(),
                    config_schema: ($schema).into(),
                }
            }

            fn configure(config: String) -> Result<(), String> {
                $crate::log::panics();
                ($configure)(&config)
            }
        }

        // Other linkers do not know what to do with the contract's names. What is exported counts
        // as used all the same.
        #[cfg(not(target_family = "wasm"))]
        const _: (fn() -> $crate::Descriptor, fn(String) -> Result<(), String>) = (
            <$plugin as $crate::Plugin>::describe,
            <$plugin as $crate::Plugin>::configure,
        );
        #[cfg(target_family = "wasm")]
        $crate::bindings::plugin::export!($plugin with_types_in $crate::bindings::plugin);
        #[cfg(target_family = "wasm")]
        $crate::bindings::$kind::export!($plugin with_types_in $crate::bindings::$kind);
    };
}
