//! Python's `mlx_lm`, in a process beside this one.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::{Task, Times, variable};

/// A Python process with `mlx_lm`.
pub(crate) struct Python {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Python {
    pub(crate) fn start(model: &Path, folder: &Path) -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/engine/timed_reference.py"
        );
        // `-B`: no bytecode is left beside the sources.
        let mut child = Command::new(variable("DEJA_PYTHON"))
            .args(["-B", script])
            .args([model, folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let input = child.stdin.take().expect("is piped");
        let output = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut python = Self {
            child,
            input,
            output,
        };
        assert_eq!(python.line(), "ready");
        python
    }

    pub(crate) fn run(&mut self, task: &Task) -> Times {
        let task = serde_json::to_string(task).expect("encodes");
        writeln!(self.input, "{task}").expect("Python listens");
        serde_json::from_str(&self.line()).expect("is a pair of times")
    }

    fn line(&mut self) -> String {
        self.output
            .next()
            .expect("Python speaks")
            .expect("is a text")
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
