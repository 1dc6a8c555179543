//! How each kind of setting is written.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use deja_cache::{Floor, Fraction, HeaderPattern};
use deja_proxy::{Api, ClientKey, Hosts, Origins, PartitionBy, Pattern, Unsupported, Url};
use serde_json::Value;
use toml::de::DeValue;

/// A value that can stand in the configuration.
pub(crate) trait Setting: Sized {
    /// What is expected, as in "must be …".
    const EXPECTED: &'static str;

    fn read(value: &DeValue<'_>) -> Option<Self>;
}

impl Setting for String {
    const EXPECTED: &'static str = "a string that is not empty";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path, as a string";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        String::read(value).map(Self::from)
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an address and a port, like \"127.0.0.1:8081\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl Setting for u64 {
    const EXPECTED: &'static str = "a whole number above 0";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let integer = value.as_integer()?;
        Self::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| *number > 0)
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = u64::EXPECTED;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        u64::read(value)?.try_into().ok()
    }
}

impl Setting for ByteSize {
    const EXPECTED: &'static str = "a size above 0, like \"64MiB\", or a number of bytes";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let size = match value.as_str() {
            Some(text) => text.parse().ok(),
            None => u64::read(value).map(Self::b),
        };
        size.filter(|size| size.as_u64() > 0)
    }
}

impl Setting for Floor {
    const EXPECTED: &'static str = "\"held\" or \"open\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let floors = [Self::Held, Self::Open];
        floors
            .into_iter()
            .find(|floor| Some(floor.name()) == value.as_str())
    }
}

/// A size that may be 0, which turns off what it is the size of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeOrOff(pub(crate) ByteSize);

impl Setting for SizeOrOff {
    const EXPECTED: &'static str = "a size, like \"64MiB\" or 0, or a number of bytes";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let is_zero = |size: &ByteSize| size.as_u64() == 0;
        let zero = match value.as_str() {
            Some(text) => text.parse().ok().filter(is_zero),
            None => (value.as_integer()?.as_str() == "0").then_some(ByteSize::b(0)),
        };
        zero.or_else(|| ByteSize::read(value)).map(Self)
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a time above 0, like \"90s\" or \"24h\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        humantime::parse_duration(value.as_str()?)
            .ok()
            .filter(|time| !time.is_zero())
    }
}

/// How long answers stay good: for a time, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeToLive(pub(crate) Option<Duration>);

impl Setting for TimeToLive {
    const EXPECTED: &'static str = "a time above 0, like \"24h\", or \"forever\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "forever" => Some(Self(None)),
            _ => Duration::read(value).map(|time| Self(Some(time))),
        }
    }
}

impl Setting for Fraction {
    const EXPECTED: &'static str = "a number above 0 and up to 1, like 0.25";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let number = match value {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            _ => return None,
        };
        Self::new(number.parse().ok()?)
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Setting for PartitionBy {
    const EXPECTED: &'static str = "\"api-key\", \"none\", or \"header:\" and a header's name";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "api-key" => Some(Self::ApiKey),
            "none" => Some(Self::None),
            other => Some(Self::Header(other.strip_prefix("header:")?.parse().ok()?)),
        }
    }
}

impl Setting for Origins {
    const EXPECTED: &'static str =
        "a list of origins like \"https://app.example\", \"loopback\", or \"*\" alone";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let mut origins = Vec::<String>::read(value)?;
        if origins == ["*"] {
            return Some(Self::Any);
        }
        let all = origins.len();
        origins.retain(|origin| origin != "loopback");
        let loopback = origins.len() < all;
        // Not only of the web: programs with a browser inside have schemes of their own.
        let is_origin = |origin: &String| {
            let url = origin.parse::<Url>();
            !origin.ends_with('/') && url.is_ok_and(|url| matches!(url.path(), "" | "/"))
        };
        origins
            .iter()
            .all(is_origin)
            .then_some(Self::Named { loopback, origins })
    }
}

impl Setting for Hosts {
    const EXPECTED: &'static str =
        "a list of names like \"ai.example\", without a port, or \"*\" alone";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let names = Vec::<String>::read(value)?;
        let is_name = |name: &String| {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
            name.chars().all(is_part) || name.parse::<std::net::Ipv6Addr>().is_ok()
        };
        (names == ["*"] || names.iter().all(is_name)).then(|| Self::new(&names))
    }
}

impl Setting for Api {
    const EXPECTED: &'static str = "\"openai\", \"responses\" or \"anthropic\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "openai" => Some(Self::OpenAi),
            "responses" => Some(Self::Responses),
            "anthropic" => Some(Self::Anthropic),
            _ => None,
        }
    }
}

impl Setting for ClientKey {
    const EXPECTED: &'static str = "\"same-api\", \"any-api\" or \"never\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "same-api" => Some(Self::SameApi),
            "any-api" => Some(Self::AnyApi),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

impl Setting for Unsupported {
    const EXPECTED: &'static str = "\"refuse\" or \"drop\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "refuse" => Some(Self::Refuse),
            "drop" => Some(Self::Drop),
            _ => None,
        }
    }
}

impl Setting for Url {
    const EXPECTED: &'static str =
        "an http or https URL without credentials or query, like \"https://api.openai.com/v1\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let url: Self = value.as_str()?.parse().ok()?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        plain.then_some(url)
    }
}

impl Setting for Pattern {
    const EXPECTED: &'static str = "a name, in which `*` can stand for any characters";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::new(&String::read(value)?).ok()
    }
}

impl Setting for HeaderPattern {
    const EXPECTED: &'static str = "a header's name, in which `*` can stand at the end";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::new(&String::read(value)?).ok()
    }
}

/// Another name for a model, and the name that is meant.
pub(crate) type Alias = (Pattern, String);

impl Setting for Vec<Alias> {
    const EXPECTED: &'static str = "a table of names, like { \"claude-*\" = \"qwen3-coder\" }";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let alias = |(asked, meant): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let asked: &str = AsRef::<str>::as_ref(asked.get_ref());
            Some((Pattern::new(asked).ok()?, String::read(meant.get_ref())?))
        };
        value.as_table()?.iter().map(alias).collect()
    }
}

macro_rules! lists {
    ($($item:ty, $expected:literal;)*) => {
        $(
            impl Setting for Vec<$item> {
                const EXPECTED: &'static str = $expected;

                fn read(value: &DeValue<'_>) -> Option<Self> {
                    let items = value.as_array()?.iter();
                    items.map(|item| <$item>::read(item.get_ref())).collect()
                }
            }
        )*
    };
}

lists! {
    String, "a list of strings";
    Pattern, "a list of names, in which `*` can stand for any characters";
    HeaderPattern, "a list of headers, in which `*` can stand at the end of a name";
}

/// A plugin's own settings: a table, as JSON.
impl Setting for Value {
    const EXPECTED: &'static str = "a table without dates";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.is_table().then(|| json(value)).flatten()
    }
}

fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            Value::from(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Float(number) => {
            Value::Number(serde_json::Number::from_f64(number.as_str().parse().ok()?)?)
        }
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => items
            .iter()
            .map(|item| json(item.get_ref()))
            .collect::<Option<_>>()?,
        DeValue::Table(fields) => {
            let field = |(name, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
                Some((
                    String::from(AsRef::<str>::as_ref(name.get_ref())),
                    json(value.get_ref())?,
                ))
            };
            Value::Object(fields.iter().map(field).collect::<Option<_>>()?)
        }
    })
}

/// Numbers of things in memory fit a `usize`, or are as good as without a limit.
pub(crate) fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Sizes in memory fit a `usize`, or are as good as without a limit.
pub(crate) fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
