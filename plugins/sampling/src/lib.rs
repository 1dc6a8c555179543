//! For those who want only such answers kept as would come again: an answer that was drawn at a
//! temperature, without a seed, is one of many.

mod settings;

use std::sync::OnceLock;

use deja_plugin::keyer::{Decision, Endpoint, Keyer, Recipe, Request};

use settings::{Above, Settings};

/// The keyer.
pub struct Sampling;

impl Keyer for Sampling {
    fn decide(request: &Request) -> Result<Decision, String> {
        // These draw nothing, whatever their bodies say.
        if matches!(
            request.endpoint(),
            Endpoint::Embeddings | Endpoint::CountTokens
        ) {
            return Ok(Decision::Cache(whole()));
        }
        let (temperature, seed) = (request.get("/temperature"), request.get("/seed"));
        let settings = SETTINGS.get_or_init(Settings::default);
        Ok(decision(settings, temperature.as_deref(), seed.as_deref()))
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn configure(config: &str) -> Result<(), String> {
    let settings = Settings::parse(config)?;
    SETTINGS
        .set(settings)
        .map_err(|_| "configured twice".to_owned())
}

/// All of the request matters.
fn whole() -> Recipe {
    Recipe::from(Vec::new())
}

/// What to do with a request whose fields hold this JSON.
fn decision(settings: &Settings, temperature: Option<&str>, seed: Option<&str>) -> Decision {
    if given(seed).is_some() {
        return Decision::Cache(whole());
    }
    let temperature = match given(temperature).map(str::parse) {
        None => settings.default_temperature,
        Some(Ok(temperature)) => temperature,
        // The client's mistake, not this plugin's: the backend will tell it so.
        Some(Err(_)) => return Decision::Bypass("the temperature is not a number".to_owned()),
    };
    if temperature <= settings.max_temperature {
        return Decision::Cache(whole());
    }
    match settings.above {
        Above::Lookup => Decision::Lookup(whole()),
        Above::Bypass => Decision::Bypass(format!(
            "temperature {temperature} is above {}, and there is no seed",
            settings.max_temperature
        )),
    }
}

/// A field that says something: both APIs take null for one that is not there.
fn given(json: Option<&str>) -> Option<&str> {
    json.filter(|json| *json != "null")
}

deja_plugin::export_keyer!(Sampling, settings::SCHEMA, configure);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(config: &str) -> Settings {
        Settings::parse(config).expect("these are settings")
    }

    /// "cache", "lookup", or why neither.
    fn decided(config: &str, temperature: Option<&str>, seed: Option<&str>) -> String {
        match decision(&settings(config), temperature, seed) {
            Decision::Cache(_) => "cache".to_owned(),
            Decision::Lookup(_) => "lookup".to_owned(),
            Decision::Bypass(reason) => reason,
        }
    }

    #[test]
    fn what_would_come_again_is_cached() {
        for (temperature, seed) in [
            (Some("0"), None),
            (Some("0.0"), Some("null")),
            (Some("0.7"), Some("42")),
            (None, Some("0")),
            (Some("\"hot\""), Some("7")),
        ] {
            assert_eq!(decided("{}", temperature, seed), "cache");
        }
    }

    #[test]
    fn what_is_drawn_is_not() {
        let reason = "temperature 0.7 is above 0, and there is no seed";
        assert_eq!(decided("{}", Some("0.7"), None), reason);
        assert_eq!(decided("{}", Some("0.7"), Some("null")), reason);
        let lookup = r#"{"above": "lookup"}"#;
        assert_eq!(decided(lookup, Some("0.7"), None), "lookup");
    }

    #[test]
    fn without_a_temperature_the_default_counts() {
        let reason = "temperature 1 is above 0.5, and there is no seed";
        for absent in [None, Some("null")] {
            let bound = r#"{"max_temperature": 0.5}"#;
            assert_eq!(decided(bound, absent, None), reason);
            let cold = r#"{"max_temperature": 0.5, "default_temperature": 0.5}"#;
            assert_eq!(decided(cold, absent, None), "cache");
        }
    }

    #[test]
    fn a_temperature_that_is_none_leaves_the_cache_out() {
        for temperature in ["\"0\"", "[0]", "true", "{}"] {
            let reason = decided(r#"{"above": "lookup"}"#, Some(temperature), None);
            assert_eq!(reason, "the temperature is not a number");
        }
    }

    proptest! {
        #[test]
        fn the_bound_divides(temperature in 0.0..2.0_f64, bound in 0.0..2.0_f64) {
            let config = format!(r#"{{"max_temperature": {bound}}}"#);
            let decided = decided(&config, Some(&temperature.to_string()), None);
            prop_assert_eq!(decided == "cache", temperature <= bound, "{}", decided);
        }
    }
}
