//! What a keyer made of recorded requests, in words.

use std::fmt::{self, Display, Formatter};

use bytesize::ByteSize;

use super::keyer::{Edits, Findings};

impl Display for Findings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            cached, looked_up, ..
        } = self;
        let bypassed: usize = self.bypassed.values().sum();
        let failed: usize = self.failed.values().sum();
        writeln!(f, "requests       {}", self.requests)?;
        writeln!(
            f,
            "decisions      {cached} cached, {looked_up} looked up only, {bypassed} bypassed, \
             {failed} failed"
        )?;
        for (reason, count) in &self.bypassed {
            writeln!(f, "  bypassed {count}: {reason}")?;
        }
        for (error, count) in &self.failed {
            writeln!(f, "  failed {count}: {error}")?;
        }
        for (rule, Edits { edits, requests }) in &self.edits {
            writeln!(f, "  rule {rule}: {edits} edits in {requests} requests")?;
        }
        writeln!(
            f,
            "keys           {}; {} without this keyer",
            self.keys, self.keys_without
        )?;
        writeln!(f, "time           {}", self.times)?;
        let memory = ByteSize::b(self.memory_bytes as u64);
        writeln!(f, "memory         {memory}")?;
        self.determinism(f)
    }
}

impl Findings {
    fn determinism(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.undecided.as_slice() {
            [] => writeln!(f, "deterministic  yes"),
            [first, ..] => writeln!(
                f,
                "deterministic  no: {} requests got different decisions, the first is number {}",
                self.undecided.len(),
                first + 1
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn findings_read_as_a_table() {
        let findings = Findings {
            requests: 3,
            cached: 2,
            bypassed: [("too hot".to_owned(), 1)].into(),
            edits: [(
                "user".to_owned(),
                Edits {
                    edits: 4,
                    requests: 2,
                },
            )]
            .into(),
            keys: 1,
            keys_without: 3,
            times: (1..=200).map(Duration::from_micros).collect(),
            memory_bytes: 1 << 20,
            ..Findings::default()
        };
        assert_eq!(
            findings.to_string(),
            "requests       3\n\
             decisions      2 cached, 0 looked up only, 1 bypassed, 0 failed\n  \
             bypassed 1: too hot\n  \
             rule user: 4 edits in 2 requests\n\
             keys           1; 3 without this keyer\n\
             time           p50 100.0µs, p99 198.0µs of 200 calls\n\
             memory         1.0 MiB\n\
             deterministic  yes\n"
        );
    }
}
