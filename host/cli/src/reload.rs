//! Has a changed configuration file take effect while the server runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{info, warn};

use crate::config::Config;

/// Time between two looks when nothing happens: notices of the operating system can be lost.
const RESCAN: Duration = Duration::from_secs(2);

/// How long the file has to be left alone: editors write it in pieces.
const QUIET: Duration = Duration::from_millis(200);

/// Watches a configuration file until it is dropped.
pub(crate) struct ConfigWatcher {
    wake: Sender<Wake>,
    thread: Option<JoinHandle<()>>,
    _notices: RecommendedWatcher,
}

/// Why the thread looks up.
enum Wake {
    Notice,
    Stop,
}

impl ConfigWatcher {
    /// Hands each configuration without mistakes to `apply` that is another than this text, on a
    /// thread of its own.
    pub(crate) fn start(
        path: &Path,
        text: String,
        mut apply: impl FnMut(Config) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let path = std::path::absolute(path)?;
        let mut file = File { path, text };
        let (wake, woken) = mpsc::channel();
        let notices = notices(&file.path, wake.clone())?;
        let run = move || {
            while file.wait_for_change(&woken) {
                if let Err(error) = file.config().and_then(&mut apply) {
                    warn!("the configuration stays as it was: {error:#}");
                }
            }
        };
        let thread = thread::Builder::new()
            .name("config-watcher".to_owned())
            .spawn(run)?;
        Ok(Self {
            wake,
            thread: Some(thread),
            _notices: notices,
        })
    }
}

impl Drop for ConfigWatcher {
    fn drop(&mut self) {
        // It fails when the thread has ended already.
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The folder is watched, not the file: editors put a new file in the old one's place.
fn notices(path: &Path, wake: Sender<Wake>) -> anyhow::Result<RecommendedWatcher> {
    let mut notices = notify::recommended_watcher(move |_| {
        // It fails when the thread has ended, and nobody wants to know.
        let _ = wake.send(Wake::Notice);
    })?;
    let folder = path.parent().context("a file lies in a folder")?;
    notices.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(notices)
}

/// The file, and the text that was looked at last.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// Waits for another text; `false` once the watching is over.
    fn wait_for_change(&mut self, woken: &Receiver<Wake>) -> bool {
        loop {
            match woken.recv_timeout(RESCAN) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Wake::Notice) => {
                    if !is_quiet(woken) {
                        return false;
                    }
                }
            }
            // A file that is gone for a moment is no change.
            if let Ok(text) = fs::read_to_string(&self.path)
                && text != self.text
            {
                self.text = text;
                return true;
            }
        }
    }

    fn config(&self) -> anyhow::Result<Config> {
        info!(path = %self.path.display(), "the configuration changed");
        Ok(Config::from_text(&self.text, &self.path)?)
    }
}

/// Waits until nothing happens for a while; `false` once the watching is over.
fn is_quiet(woken: &Receiver<Wake>) -> bool {
    loop {
        match woken.recv_timeout(QUIET) {
            Ok(Wake::Notice) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}
