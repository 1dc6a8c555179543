//! The parameters of a generation that both of the API's requests have.

use std::{collections::BTreeMap, ops::Bound};

use serde_json::Value;

use crate::{BadRequest, Sampling, field::Field};

/// The most stop strings that the API takes.
const MOST_STOP_STRINGS: usize = 4;

/// The most answers that the API gives to one request.
const MOST_CHOICES: u32 = 128;

/// Whether a field's value leaves the answer as it would be without it.
pub(crate) type IsNeutral = fn(&Value) -> bool;

/// Whether it is an empty list or object.
pub(crate) fn is_empty(value: &Value) -> bool {
    let list = value.as_array().is_some_and(Vec::is_empty);
    list || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Refuses the first of these fields that would change the answer.
pub(crate) fn refuse_unsupported(
    body: &Field<'_>,
    unsupported: &[(&str, IsNeutral)],
) -> Result<(), BadRequest> {
    let mut present = unsupported
        .iter()
        .filter_map(|(name, is_neutral)| Some((body.get(name)?, is_neutral)));
    match present.find(|(field, is_neutral)| !is_neutral(field.value)) {
        Some((field, _)) => Err(field.unsupported()),
        None => Ok(()),
    }
}

/// The model asked for.
pub(crate) fn model(body: &Field<'_>) -> Result<Option<String>, BadRequest> {
    let model = body.get("model").map(|model| model.string()).transpose()?;
    Ok(model.map(str::to_owned))
}

/// How each token is chosen, each field within its range.
pub(crate) fn sampling(body: &Field<'_>) -> Result<Sampling, BadRequest> {
    let above_0 = |to| (Bound::Excluded(0.0), to);
    let number = |name, default, range: (Bound<f32>, Bound<f32>), words| {
        body.get(name)
            .map_or(Ok(default), |field| field.number(range, words))
    };
    let from_to = |from, to| (Bound::Included(from), Bound::Included(to));
    Ok(Sampling {
        temperature: number("temperature", 1.0, from_to(0.0, 2.0), "from 0 to 2")?,
        top_p: number(
            "top_p",
            1.0,
            above_0(Bound::Included(1.0)),
            "above 0 and at most 1",
        )?,
        top_k: top_k(body)?,
        min_p: number("min_p", 0.0, from_to(0.0, 1.0), "from 0 to 1")?,
        repetition_penalty: number(
            "repetition_penalty",
            1.0,
            above_0(Bound::Unbounded),
            "above 0",
        )?,
        presence_penalty: number("presence_penalty", 0.0, from_to(-2.0, 2.0), "from -2 to 2")?,
        frequency_penalty: number("frequency_penalty", 0.0, from_to(-2.0, 2.0), "from -2 to 2")?,
        logit_bias: logit_bias(body)?,
        seed: seed(body)?,
    })
}

/// Servers that have the field take 0 and -1 for no limit.
fn top_k(body: &Field<'_>) -> Result<Option<u32>, BadRequest> {
    let Some(field) = body.get("top_k") else {
        return Ok(None);
    };
    let limit = field.integer(-1..=i64::from(u32::MAX), "from -1 on")?;
    Ok(u32::try_from(limit).ok().filter(|limit| *limit > 0))
}

fn logit_bias(body: &Field<'_>) -> Result<BTreeMap<u32, f32>, BadRequest> {
    let Some(biases) = body.get("logit_bias") else {
        return Ok(BTreeMap::new());
    };
    biases.object()?;
    let bias = |(token, bias): (&str, Field<'_>)| {
        let token = token
            .parse()
            .map_err(|_| biases.wrong("must have the numbers of tokens for names"))?;
        Ok((token, bias.number(-100.0..=100.0, "from -100 to 100")?))
    };
    biases.fields().map(bias).collect()
}

fn seed(body: &Field<'_>) -> Result<Option<u64>, BadRequest> {
    let seed = body
        .get("seed")
        .map(|seed| seed.integer::<i64>(.., "of 64 bits"));
    Ok(seed.transpose()?.map(i64::cast_unsigned))
}

/// How many answers are wanted.
pub(crate) fn choices(body: &Field<'_>) -> Result<u32, BadRequest> {
    let range = 1..=MOST_CHOICES;
    body.get("n")
        .map_or(Ok(1), |n| n.integer(range, "from 1 to 128"))
}

/// The limit under this name, which is at least `least`.
pub(crate) fn token_limit(
    body: &Field<'_>,
    name: &str,
    least: u32,
) -> Result<Option<u32>, BadRequest> {
    let limit = body.get(name);
    limit
        .map(|limit| limit.integer(least.., &format!("from {least} on")))
        .transpose()
}

/// One stop string, or a list of them.
pub(crate) fn stop_strings(body: &Field<'_>) -> Result<Vec<String>, BadRequest> {
    let Some(stop) = body.get("stop") else {
        return Ok(Vec::new());
    };
    let strings: Option<Vec<_>> = match stop.value.as_array() {
        Some(list) => list.iter().map(|item| item.as_str()).collect(),
        None => stop.value.as_str().map(|one| vec![one]),
    };
    let strings = strings.ok_or_else(|| stop.wrong("must be a string or a list of strings"))?;
    Ok(strings.into_iter().map(str::to_owned).collect())
}

/// Refuses stop strings, under this name, that the engine does not take.
pub(crate) fn refuse_unusable_stops(stops: &[String], name: &str) -> Result<(), BadRequest> {
    if stops.len() <= MOST_STOP_STRINGS && stops.iter().all(|stop| !stop.is_empty()) {
        return Ok(());
    }
    let problem = format!("must hold up to {MOST_STOP_STRINGS} strings, none of them empty");
    Err(BadRequest::field(name, &problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_how_tokens_are_chosen() {
        let body = json!({
            "temperature": 0, "top_p": 0.5, "top_k": 40, "min_p": 0.1, "seed": -1,
            "repetition_penalty": 1.1, "presence_penalty": -2, "frequency_penalty": 0.5,
            "logit_bias": {"7": -100, "9": 1.5},
        });
        let expected = Sampling {
            temperature: 0.0,
            top_p: 0.5,
            top_k: Some(40),
            min_p: 0.1,
            repetition_penalty: 1.1,
            presence_penalty: -2.0,
            frequency_penalty: 0.5,
            logit_bias: [(7, -100.0), (9, 1.5)].into(),
            seed: Some(u64::MAX),
        };
        assert_eq!(sampling(&Field::body(&body)), Ok(expected));
    }

    #[test]
    fn neutral_values_are_as_if_left_out() {
        for body in [
            json!({}),
            json!({"temperature": null, "logit_bias": {}, "seed": null}),
            json!({"top_k": 0, "top_p": 1, "min_p": 0, "presence_penalty": 0.0}),
            json!({"top_k": -1, "repetition_penalty": 1}),
        ] {
            assert_eq!(sampling(&Field::body(&body)), Ok(Sampling::default()));
        }
    }

    #[test]
    fn names_what_is_out_of_range_and_the_range() {
        for (name, value, range) in [
            ("temperature", json!("hot"), "from 0 to 2"),
            ("temperature", json!(2.1), "from 0 to 2"),
            ("top_p", json!(0), "above 0 and at most 1"),
            ("top_k", json!(1.5), "from -1 on"),
            ("min_p", json!(1.1), "from 0 to 1"),
            ("repetition_penalty", json!(0), "above 0"),
            ("repetition_penalty", json!(1e300), "above 0"),
            ("presence_penalty", json!(3), "from -2 to 2"),
            ("frequency_penalty", json!(-3), "from -2 to 2"),
            ("seed", json!("7"), "64 bits"),
        ] {
            let error = sampling(&Field::body(&json!({ name: value }))).expect_err("it is refused");
            assert_eq!(error.field.as_deref(), Some(name));
            assert!(error.message.contains(range), "{error}");
        }
        let bias = |bias: Value| {
            let error = sampling(&Field::body(&json!({ "logit_bias": bias })));
            error.expect_err("it is refused").field
        };
        assert_eq!(bias(json!({"7": 101})).as_deref(), Some("logit_bias.7"));
        assert_eq!(bias(json!({"Paris": 1})).as_deref(), Some("logit_bias"));
        assert_eq!(bias(json!([1])).as_deref(), Some("logit_bias"));
    }

    #[test]
    fn a_stop_is_one_string_or_a_few() {
        let stop = |stop: Value| {
            let stops = stop_strings(&Field::body(&json!({ "stop": stop })))?;
            refuse_unusable_stops(&stops, "stop").map(|()| stops)
        };
        assert_eq!(stop(json!(null)), Ok(Vec::new()));
        assert_eq!(stop(json!("END")), Ok(vec!["END".to_owned()]));
        assert_eq!(stop(json!(["a", "b"])).map(|stops| stops.len()), Ok(2));
        for wrong in [
            json!(7),
            json!(""),
            json!(["a", ""]),
            json!(["a", "b", "c", "d", "e"]),
        ] {
            let error = stop(wrong).expect_err("it is refused");
            assert_eq!(error.field.as_deref(), Some("stop"));
        }
    }
}
