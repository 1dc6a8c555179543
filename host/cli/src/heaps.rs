//! Limits the heaps of the server.
//!
//! glibc gives threads heaps of their own, up to eight for each core, and seldom gives memory in
//! them back: under an hour of mixed traffic the server came to hold twenty times what it used. It
//! reads the limit when a program starts, and at no other time.

use std::{env, os::unix::process::CommandExt as _, process::Command, thread};

/// The setting's name in the environment.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Has the program start again with as many heaps as there are cores, and with blocks of 1 MiB and
/// more, and 1 MiB of free memory at a heap's end, given back at once. Does nothing where the
/// environment has settings of the user's own, and with other C libraries.
pub(crate) fn limit() {
    let is_glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
    if is_glibc && env::var_os(TUNABLES).is_none() {
        start_again();
    }
}

/// Comes back only where the program cannot be started: then it goes on as it is.
fn start_again() {
    let Ok(program) = env::current_exe() else {
        return;
    };
    let heaps = thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    let tunables = format!(
        "glibc.malloc.arena_max={heaps}:glibc.malloc.mmap_threshold=1048576:\
         glibc.malloc.trim_threshold=1048576"
    );
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Its error is of no use to anybody.
    let _ = command.args(arguments).env(TUNABLES, tunables).exec();
}
