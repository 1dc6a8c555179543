//! What was asked for least often of late leaves first.

mod settings;

use std::sync::OnceLock;

use deja_eviction::{Account, Capacity, Open, WTinyLfu};
use deja_plugin::eviction::Eviction;
use settings::Settings;

/// The eviction policy.
pub struct Plugin;

impl Open for Plugin {
    type Policy = WTinyLfu;

    fn open(capacity: Capacity) -> WTinyLfu {
        let settings = SETTINGS.get_or_init(Settings::default);
        WTinyLfu::new(capacity, settings.shares())
    }
}

impl Eviction for Plugin {
    type Policy = Account<Self>;
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn configure(config: &str) -> Result<(), String> {
    let settings = Settings::parse(config)?;
    SETTINGS
        .set(settings)
        .map_err(|_| "configured twice".to_owned())
}

deja_plugin::export_eviction!(Plugin, settings::SCHEMA, configure);
