//! The analysis in words, for a terminal.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::{Analysis, Count, Latencies, NearMisses, Repeat, Requests, Savings, Spread};

/// Items of a ranking that are shown.
const SHOWN: usize = 10;

/// Fields that the built-in keyer `claude-code` takes out.
const CLAUDE_CODE: [&str; 4] = [
    "/metadata",
    "/cache_control",
    "/system/*/text",
    "/diagnostics",
];

/// The analysis in words.
#[must_use]
pub fn report(analysis: &Analysis) -> String {
    let mut text = String::new();
    line(&mut text, "requests", &analysis.requests.to_string());
    line(&mut text, "unique requests", &analysis.unique.to_string());
    line(
        &mut text,
        "potential hits",
        &analysis.potential_hits.to_string(),
    );
    line(&mut text, "hit rate", &percent(analysis.hit_rate));
    if let Some(share) = analysis.shared_prefix {
        let words = format!(
            "{} of the prompts is the beginning of one before",
            percent(share)
        );
        line(&mut text, "shared prefix", &words);
    }
    if analysis.skipped > 0 {
        line(&mut text, "passed over", &analysis.skipped.to_string());
        list(
            &mut text,
            analysis.skipped_first.iter().cloned(),
            analysis.skipped,
        );
    }
    if let Some(details) = &analysis.details {
        requests(&mut text, details);
    }
    let _ = write!(text, "\n{}\n", verdict(analysis));
    text
}

/// What it comes to.
fn verdict(analysis: &Analysis) -> String {
    let rate = percent(analysis.hit_rate);
    if analysis.requests == 0 {
        return "There is nothing to say: no request could be read.".to_owned();
    }
    match analysis.hit_rate {
        0.3.. => format!("A cache works well here: {rate} of the requests could be hits."),
        0.1.. => format!(
            "A cache helps in limits: {rate} of the requests could be hits. Look at the near \
             misses: a keyer may make hits of them."
        ),
        _ => format!(
            "A cache is not effective here: {rate} of the requests could be hits. Is it on, and \
             do the same requests come again?"
        ),
    }
}

fn requests(text: &mut String, details: &Requests) {
    if let Some((first, last)) = details.span_ms {
        let length = SignedDuration::from_millis(i64::try_from(last - first).unwrap_or(i64::MAX));
        let words = format!("from {} to {} ({length:#})", time(first), time(last));
        line(text, "time", &words);
    }
    line(text, "messages", &spread(details.messages));
    line(text, "tools offered", &spread(details.tools));
    if details.bypassed > 0 {
        line(text, "left out by keyer", &details.bypassed.to_string());
    }
    latencies(text, details.latencies);
    savings(text, details.savings);
    line(text, "near misses", &details.near_misses.count.to_string());
    section(
        text,
        "repeated requests",
        details.repeats.iter().map(repeat),
    );
    section(
        text,
        "tools offered, by requests",
        details.tools_offered.iter().map(count),
    );
    section(
        text,
        "tools used, by calls",
        details.tools_used.iter().map(count),
    );
    section(text, "errors", details.errors.iter().map(count));
    if details.near_misses.count > 0 {
        near_misses(text, &details.near_misses);
    }
}

fn latencies(
    text: &mut String,
    Latencies {
        first_ms,
        repeat_ms,
    }: Latencies,
) {
    let words = |ms: Option<f64>| ms.map_or("unknown".to_owned(), |ms| format!("{ms:.1} ms"));
    let words = format!("first {}, repeats {}", words(first_ms), words(repeat_ms));
    line(text, "latency, mean", &words);
}

fn savings(text: &mut String, Savings { ms, tokens }: Savings) {
    let ms = i64::try_from(ms.unwrap_or_default()).unwrap_or(i64::MAX);
    let time = match ms {
        0 => "an unknown time".to_owned(),
        ms => format!("{:#}", SignedDuration::from_millis(ms)),
    };
    line(
        text,
        "a cache would save",
        &format!("{time} and {tokens} tokens"),
    );
}

fn near_misses(text: &mut String, near: &NearMisses) {
    let fields = near.fields.iter();
    section(
        text,
        "near misses, by the fields that differ",
        fields.map(count),
    );
    let is_known = |field: &str| CLAUDE_CODE.iter().any(|known| field.contains(known));
    if near.fields.iter().any(|field| is_known(&field.name)) {
        text.push_str("  try --keyer claude-code\n");
    }
}

fn repeat(repeat: &Repeat) -> String {
    let Repeat {
        model,
        at_ms,
        messages,
        tools,
    } = repeat;
    let times: Vec<_> = at_ms.iter().take(3).map(|at| time(*at)).collect();
    let more = if at_ms.len() > times.len() {
        ", …"
    } else {
        ""
    };
    format!(
        "{:>6}  {model}, {messages} messages, {tools} tools: {}{more}",
        at_ms.len(),
        times.join(", ")
    )
}

fn count(Count { name, count }: &Count) -> String {
    format!("{count:>6}  {name}")
}

fn spread(Spread { min, mean, max }: Spread) -> String {
    format!("min {min}, mean {mean:.1}, max {max}")
}

fn time(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().filter(|at| *at > 0);
    let time = time.and_then(|at| Timestamp::from_millisecond(at).ok());
    time.map_or("unknown".to_owned(), |time| {
        time.strftime("%F %T").to_string()
    })
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<20}{value}");
}

fn section(text: &mut String, title: &str, items: impl ExactSizeIterator<Item = String>) {
    if items.len() > 0 {
        let _ = writeln!(text, "\n{title}");
        let total = items.len() as u64;
        list(text, items, total);
    }
}

fn list(text: &mut String, items: impl Iterator<Item = String>, total: u64) {
    for item in items.take(SHOWN) {
        let _ = writeln!(text, "  {item}");
    }
    if let Some(more @ 1..) = total.checked_sub(SHOWN as u64) {
        let _ = writeln!(text, "  and {more} more");
    }
}
