//! What the soak says: a line a minute, and all of it at the end.

use crate::{
    options::Options,
    samples::{Samples, Summary},
    tally::Tally,
};

/// Runs shorter than this, in seconds, do not fail for a slope: pools and caches still fill up.
const JUDGED: u64 = 600;

/// What is known at the end beside the counts.
pub(crate) struct Ending {
    /// Requests that the server still takes for running although none is.
    pub(crate) left_over: u64,
    /// Lines of the server's log that tell of a panic.
    pub(crate) panics: usize,
    /// How many questions the engine has answered in more than one way.
    pub(crate) ambiguous: usize,
}

/// Prints the report; returns whether all is well.
pub(crate) fn print(options: &Options, tally: &Tally, samples: &Samples, ending: &Ending) -> bool {
    println!("\n{}\n", tally.table());
    let is_judged = options.time.0.as_secs() >= JUDGED;
    let limits = [
        ("memory, MiB", options.memory),
        ("open files", options.files),
    ];
    let mut is_well = true;
    for ((name, limit), summary) in limits.into_iter().zip(samples.summaries()) {
        let Some(summary) = summary else {
            println!("{name}: not known");
            continue;
        };
        let grows = grows(&summary, limit);
        print_summary(name, &summary, limit, grows);
        is_well &= !(grows && is_judged);
    }
    if !is_judged {
        println!("(a run of less than {JUDGED} s does not fail for a slope)");
    }
    let (wrong, lost, failed) = tally.failures();
    let Ending {
        left_over,
        panics,
        ambiguous,
    } = *ending;
    println!("questions that the engine answered in more than one way: {ambiguous}");
    println!("requests that the server takes for running after the end: {left_over}");
    println!("panics in the server's log: {panics}");
    println!("operations that failed: {failed}");
    println!("wrong: {wrong}\nlost: {lost}");
    is_well && wrong + lost + failed + left_over == 0 && panics == 0
}

/// Whether a quantity surely grows faster than it may.
fn grows(summary: &Summary, limit: f64) -> bool {
    summary.slope.is_some_and(|slope| slope.low > limit)
}

fn print_summary(name: &str, summary: &Summary, limit: f64, grows: bool) {
    let Summary {
        first, last, peak, ..
    } = *summary;
    print!("{name}: {first:.1} after the first tenth, {last:.1} at the end, {peak:.1} at most; ");
    match summary.slope {
        Some(slope) => println!(
            "slope {:+.1} an hour, 95% within {:+.1} … {:+.1}{}",
            slope.estimate,
            slope.low,
            slope.high,
            if grows {
                format!(": above {limit}")
            } else {
                String::new()
            }
        ),
        None => println!("too few samples for a slope"),
    }
}
