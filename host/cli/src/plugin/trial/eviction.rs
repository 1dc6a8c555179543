//! An eviction policy over requests to a cache.

use std::fmt::{self, Display, Formatter};

use anyhow::bail;
use bytesize::ByteSize;
use deja_cache::Capacity;
use deja_policy::{Problem, WasmEviction};

use super::{
    hand_over::HandOver,
    simulation::{Played, Simulation},
    times::Times,
    workload::Workload,
};

/// What an eviction policy made of the requests.
struct Findings {
    requests: usize,
    capacity: Capacity,
    played: Played,
    /// How long the calls took.
    times: Times,
    /// Bytes of memory that the policy holds in the end.
    memory_bytes: usize,
    /// Whether another instance evicted the same.
    deterministic: bool,
    hand_over: HandOver,
}

/// Prints what a policy makes of the requests. `open` makes one of it for a cache so large.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(super) fn run(
    open: impl Fn(Capacity) -> Result<WasmEviction, Problem>,
    workload: &Workload,
) -> anyhow::Result<()> {
    let findings = try_out(|| open(workload.capacity), workload)?;
    print!("{findings}");
    if findings.played.needless > 0 || findings.played.missing > 0 {
        bail!("its victims are of no use: a server has to choose in its place");
    }
    Ok(())
}

fn try_out(
    open: impl Fn() -> Result<WasmEviction, Problem>,
    workload: &Workload,
) -> anyhow::Result<Findings> {
    let mut cache = Simulation::new(open()?, workload.capacity);
    let mut again = Simulation::new(open()?, workload.capacity);
    cache.play(&workload.accesses)?;
    again.play(&workload.accesses)?;
    Ok(Findings {
        requests: workload.accesses.len(),
        capacity: workload.capacity,
        deterministic: cache.played == again.played,
        hand_over: hand_over(open, workload, &cache.played)?,
        memory_bytes: cache.policy.memory_bytes(),
        times: cache.times,
        played: cache.played,
    })
}

/// Plays half of the requests to one instance and the rest to another, which takes the state over.
fn hand_over(
    open: impl Fn() -> Result<WasmEviction, Problem>,
    workload: &Workload,
    expected: &Played,
) -> anyhow::Result<HandOver> {
    let (before, after) = workload.accesses.split_at(workload.accesses.len() / 2);
    let mut cache = Simulation::new(open()?, workload.capacity);
    cache.play(before)?;
    if !cache.hand_over(open()?)? {
        return Ok(HandOver::Refused);
    }
    cache.play(after)?;
    Ok(HandOver::taken(cache.played == *expected))
}

impl Display for Findings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Capacity { entries, bytes } = self.capacity;
        let bytes = ByteSize::b(bytes);
        let Played {
            hits,
            victims,
            needless,
            missing,
        } = &self.played;
        writeln!(f, "requests       {}", self.requests)?;
        writeln!(f, "capacity       {entries} entries, {bytes}")?;
        writeln!(
            f,
            "hits           {hits}, {:.1}%",
            percent(*hits, self.requests)
        )?;
        let victims = victims.len();
        writeln!(
            f,
            "victims        {victims} evicted; {needless} named that are not held, {missing} not \
             named"
        )?;
        writeln!(f, "time           {}", self.times)?;
        let memory = ByteSize::b(self.memory_bytes as u64);
        writeln!(f, "memory         {memory}")?;
        let deterministic = if self.deterministic {
            "yes"
        } else {
            "no: another instance evicts otherwise"
        };
        writeln!(f, "deterministic  {deterministic}")?;
        writeln!(f, "hand-over      {}", self.hand_over)
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn findings_read_as_a_table() {
        let findings = Findings {
            requests: 8,
            capacity: Capacity {
                entries: 2,
                bytes: 1 << 20,
            },
            played: Played {
                hits: 3,
                victims: vec![1, 2, 3],
                needless: 0,
                missing: 1,
            },
            times: (1..=200).map(Duration::from_nanos).collect(),
            memory_bytes: 1 << 20,
            deterministic: true,
            hand_over: HandOver::Refused,
        };
        assert_eq!(
            findings.to_string(),
            "requests       8\n\
             capacity       2 entries, 1.0 MiB\n\
             hits           3, 37.5%\n\
             victims        3 evicted; 0 named that are not held, 1 not named\n\
             time           p50 100.0ns, p99 198.0ns of 200 calls\n\
             memory         1.0 MiB\n\
             deterministic  yes\n\
             hand-over      no: a new instance does not take the state over\n"
        );
    }
}
