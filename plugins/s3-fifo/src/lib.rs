//! What is not used twice soon leaves soon; of the rest leaves what was not used for a round.

mod settings;

use std::sync::OnceLock;

use deja_eviction::{Account, Capacity, Open, S3Fifo};
use deja_plugin::eviction::Eviction;
use settings::Settings;

/// The eviction policy.
pub struct Plugin;

impl Open for Plugin {
    type Policy = S3Fifo;

    fn open(capacity: Capacity) -> S3Fifo {
        let settings = SETTINGS.get_or_init(Settings::default);
        S3Fifo::new(capacity, settings.small_share)
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
