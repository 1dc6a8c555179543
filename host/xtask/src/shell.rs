//! Runs other programs.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, PipeReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use wait_timeout::ChildExt as _;

/// How many lines of a failed program's output are shown.
const TAIL: usize = 30;

/// Runs a program to its end. On a terminal its output is condensed to one moving line, elsewhere
/// it is left as it is.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    if io::stderr().is_terminal() {
        condense(command)
    } else {
        pass_through(command)
    }
}

/// Shows one moving line, and the last lines of the output if the program fails.
fn condense(command: &mut Command) -> Result<()> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = spawn(command)?;
    // The pipe ends when nobody holds its writing end, and `command` does.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let tail = follow(reader)?;
    check(command, child.wait()?, &tail.join("\n"))
}

/// Runs a program that speaks to the user itself.
pub(crate) fn pass_through(command: &mut Command) -> Result<()> {
    let status = spawn(command.stdin(Stdio::null()))?.wait()?;
    check(command, status, "")
}

/// Runs a program that speaks to the user itself, and ends it when it takes longer than `limit`.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Result<()> {
    let mut child = spawn(command.stdin(Stdio::null()))?;
    if let Some(status) = child.wait_timeout(limit)? {
        return check(command, status, "");
    }
    child.kill()?;
    child.wait()?;
    bail!("`{}` took over {} s", describe(command), limit.as_secs());
}

/// What a program writes to its standard output, without white space around it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} does not start", describe(command)))?;
    check(
        command,
        output.status,
        &String::from_utf8_lossy(&output.stderr),
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Starts a program; the error names it.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    command
        .spawn()
        .with_context(|| format!("{} does not start", describe(command)))
}

/// Turns a failure into an error that names the program and shows what it said last.
pub(crate) fn check(command: &Command, status: ExitStatus, said: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let failure = format!("`{}` ended with {status}\n{said}", describe(command));
    Err(Error::msg(failure.trim_end().to_owned()))
}

/// A command as a person would type it, without its folder.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = program.file_name().into_iter().chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Shows the lines that come in, one at a time, and keeps the last ones.
fn follow(reader: PipeReader) -> Result<Vec<String>> {
    let spinner = spinner();
    let mut tail = VecDeque::with_capacity(TAIL);
    for line in BufReader::new(reader).split(b'\n') {
        let line = last_coat(&String::from_utf8_lossy(&line?));
        spinner.set_message(line.clone());
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    spinner.finish_and_clear();
    Ok(tail.into())
}

/// What stays of a line that its program painted over, by carriage returns.
fn last_coat(line: &str) -> String {
    let coats = line.trim_end().rsplit('\r').next();
    coats.unwrap_or_default().to_owned()
}

/// One line that moves.
fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("    {spinner} {elapsed} {wide_msg}");
    let spinner = ProgressBar::new_spinner().with_style(style.expect("the template is sound"));
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_shows_the_last_lines_of_both_streams() {
        let error = condense(&mut shell("seq 40; echo no space left >&2; exit 3")).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("no space left") && text.contains("\n40\n"),
            "{text}"
        );
        assert!(!text.contains("\n11\n"), "{text}");
        assert!(
            text.contains("sh -c seq 40") && text.contains("exit status: 3"),
            "{text}"
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = Instant::now();
        let error = run_within(Duration::from_millis(100), &mut shell("exec sleep 30"));
        assert!(error.unwrap_err().to_string().contains("sleep 30"));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_line_is_shown_as_it_was_painted_last() {
        assert_eq!(last_coat("reading 5%\rreading 100%\r"), "reading 100%");
    }

    #[test]
    fn output_is_trimmed() {
        assert_eq!(output(&mut shell("echo ' a '")).expect("echo works"), "a");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("/no/such-program")).unwrap_err();
        assert!(error.to_string().contains("such-program does not start"));
    }
}
