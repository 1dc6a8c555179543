//! Watches the plugin folder from a thread of its own.
//!
//! The operating system's notices only make it look sooner: it looks at every file every two
//! seconds anyway, since notices are lost on network drives, through symbolic links, and when a
//! folder is moved away and another takes its place.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::error::PluginError;
use crate::host::{PluginHost, Replacement};
use crate::plugin_file::PluginFile;

/// Time between two looks when nothing happens.
const RESCAN: Duration = Duration::from_secs(2);

/// Time for which more notices are waited for after the first.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// Watches the plugin folder until it is dropped.
pub struct Watcher {
    wake: Sender<Wake>,
    thread: Option<JoinHandle<()>>,
}

/// Why the thread looks up.
enum Wake {
    Notice(notify::Result<Event>),
    Stop,
}

/// Starts the thread.
pub(crate) fn start(
    host: Arc<PluginHost>,
    on_change: impl Fn(Replacement) + Send + 'static,
) -> Result<Watcher, PluginError> {
    let (wake, woken) = mpsc::channel();
    let Some(dir) = host.settings().dir.clone() else {
        return Ok(Watcher { wake, thread: None });
    };
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let names = host.names().into_iter().enumerate();
    let now = Instant::now();
    let files = names
        .map(|(slot, name)| PluginFile::new(slot, &dir, &name, now))
        .collect();
    let folder = Folder::new(dir, wake.clone());
    let watch = Watch {
        host,
        folder,
        files,
        woken,
    };
    let run = move || watch.run(on_change);
    let thread = thread::Builder::new()
        .name("plugin-watcher".to_owned())
        .spawn(run);
    Ok(Watcher {
        wake,
        thread: Some(thread.map_err(PluginError::Thread)?),
    })
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It fails when the thread has ended already, or never was.
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread.
struct Watch {
    host: Arc<PluginHost>,
    folder: Folder,
    files: Vec<PluginFile>,
    woken: Receiver<Wake>,
}

impl Watch {
    fn run(mut self, on_change: impl Fn(Replacement)) {
        loop {
            self.folder.watch();
            let now = Instant::now();
            let again = |file: &mut PluginFile| file.look(&self.host, now, &on_change);
            let next = self.files.iter_mut().filter_map(again).min();
            let rescan = now + RESCAN;
            if self.wait(next.unwrap_or(rescan).min(rescan)).is_break() {
                return;
            }
        }
    }

    /// Waits until then, or for a while after the first notice that matters: more may follow.
    fn wait(&mut self, mut until: Instant) -> ControlFlow<()> {
        loop {
            match self
                .woken
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(Wake::Stop) => return ControlFlow::Break(()),
                Ok(Wake::Notice(Ok(event))) if self.heed(&event) => {
                    until = until.min(Instant::now() + DEBOUNCE);
                }
                Ok(Wake::Notice(_)) => {}
                Err(_) => return ControlFlow::Continue(()),
            }
        }
    }

    /// Takes note of what happened; false if it is of no matter here.
    fn heed(&mut self, event: &Event) -> bool {
        if !changes(event) {
            return false;
        }
        let mut concerned = self.folder.heed(event);
        for file in self
            .files
            .iter_mut()
            .filter(|file| file.concerns(&event.paths))
        {
            file.changed();
            concerned = true;
        }
        concerned
    }
}

/// Whether something may be different now. That somebody reads a file is told too.
fn changes(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// The plugin folder, or while there is none, the nearest folder in which it may appear.
struct Folder {
    dir: PathBuf,
    notices: Option<RecommendedWatcher>,
    watched: Option<PathBuf>,
}

impl Folder {
    fn new(dir: PathBuf, wake: Sender<Wake>) -> Self {
        let notices = notify::recommended_watcher(move |event| {
            // It fails when the thread has ended, and nobody wants to know.
            let _ = wake.send(Wake::Notice(event));
        });
        if let Err(error) = &notices {
            tracing::warn!(%error, "no notices of new plugins; looking every {RESCAN:?}");
        }
        Self {
            dir,
            notices: notices.ok(),
            watched: None,
        }
    }

    /// Sees to it that the right folder is watched.
    fn watch(&mut self) {
        let Some(notices) = &mut self.notices else {
            return;
        };
        let nearest = self.dir.ancestors().find(|folder| folder.is_dir());
        if nearest == self.watched.as_deref() {
            return;
        }
        if let Some(watched) = self.watched.take() {
            // It fails when that folder is gone.
            let _ = notices.unwatch(&watched);
        }
        let Some(nearest) = nearest else { return };
        match notices.watch(nearest, RecursiveMode::NonRecursive) {
            Ok(()) => tracing::debug!(folder = %nearest.display(), "watching for plugins"),
            Err(error) => tracing::warn!(
                %error,
                folder = %nearest.display(),
                "no notices of new plugins here; looking every {RESCAN:?}"
            ),
        }
        self.watched = Some(nearest.to_owned());
    }

    /// Takes note of what became of the folder, and of those that it is in.
    fn heed(&mut self, event: &Event) -> bool {
        // One that went away is not watched any more, even if another has its name by now.
        let gone = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(_));
        if gone
            && self
                .watched
                .as_ref()
                .is_some_and(|watched| event.paths.contains(watched))
        {
            self.watched = None;
        }
        event.paths.iter().any(|path| self.dir.starts_with(path))
    }
}
