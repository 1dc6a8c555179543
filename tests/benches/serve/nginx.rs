//! nginx with a cache in memory: the peer that hits are compared with.

use std::{
    fs::{self, Permissions},
    io::{self, BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    thread,
};

use deja_tests::required;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const CONFIGURATION: &str = include_str!("nginx.conf");

/// What nginx says when it has taken its address.
const LISTENS: &str = "start worker processes";

/// A file system in memory, on Linux.
const MEMORY: &str = "/dev/shm";

/// Whether nginx writes a line for each request.
#[derive(Clone, Copy)]
pub(crate) enum AccessLog {
    /// To `/dev/null`.
    On,
    Off,
}

/// A running nginx. Its drop stops it.
pub(crate) struct Nginx {
    address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it before this server, and waits until it listens.
    pub(crate) fn start(upstream: SocketAddr, log: AccessLog) -> Self {
        let folder = folder();
        let address = free_address();
        let log = match log {
            AccessLog::On => "/dev/null",
            AccessLog::Off => "off",
        };
        let configuration = CONFIGURATION
            .replace("@ACCESS_LOG@", log)
            .replace("@LISTEN@", &address.to_string())
            .replace("@UPSTREAM@", &upstream.to_string());
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).expect("the file can be written");
        let mut nginx = Command::new(required("DEJA_NGINX"));
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        nginx.args(["-e", "stderr"]).stderr(Stdio::piped());
        let mut process = nginx.spawn().expect("nginx can be started");
        follow(process.stderr.take().expect("it is piped"));
        Self {
            address,
            process,
            _folder: folder,
        }
    }

    /// Its address, like `http://127.0.0.1:4321`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Nginx {
    /// Killed, the first process would leave the workers behind.
    fn drop(&mut self) {
        if let Some(process) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process(process, Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// A folder for the cache. Started by root, nginx gives up its rights, and must still get in.
fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.permissions(Permissions::from_mode(0o755));
    let folder = if Path::new(MEMORY).is_dir() {
        builder.tempdir_in(MEMORY)
    } else {
        builder.tempdir()
    };
    folder.expect("a temporary folder can be made")
}

/// nginx cannot tell which port the system has given it.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// Waits until nginx listens. What it says later must be read too, lest it wait for a reader.
fn follow(stderr: ChildStderr) {
    let mut stderr = BufReader::new(stderr);
    let mut said = String::new();
    while !said.contains(LISTENS) {
        let read = stderr.read_line(&mut said).expect("nginx writes text");
        assert!(read > 0, "nginx did not start:\n{said}");
    }
    thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
}
