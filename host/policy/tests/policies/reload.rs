//! Plugins that are replaced while the server runs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use deja_cache::Keyer;
use deja_policy::{PluginHost, Policies, Replacement, Watcher};

use crate::guests;
use crate::log::log;
use crate::support::{Folder, PATIENCE, built, edits, entry};

/// A running host over a folder.
struct Running {
    host: Arc<PluginHost>,
    policies: Policies,
    replacements: Receiver<Replacement>,
    _watcher: Watcher,
}

impl Running {
    fn standard(folder: &Folder) -> Self {
        log();
        let host = folder.standard();
        let policies = host.load().expect("loads");
        let (sender, replacements) = mpsc::channel();
        let watcher = host.watch(move |replacement| sender.send(replacement).expect("is awaited"));
        Self {
            host,
            policies,
            replacements,
            _watcher: watcher.expect("watches"),
        }
    }

    fn replacement(&self) -> Replacement {
        self.replacements
            .recv_timeout(PATIENCE)
            .expect("is replaced")
    }

    fn keyer(&self) -> Arc<dyn Keyer> {
        match self.replacement() {
            Replacement::Keyers(mut keyers) => keyers.remove(0),
            _ => panic!("not a keyer"),
        }
    }

    fn rejected(&self) -> Option<String> {
        self.host.status()[0].rejected.clone()
    }
}

const REJECTED: &str = "plugin not loaded";

fn await_rejections(path: &Path, count: usize) {
    log().wait_for(count, &["ERROR", REJECTED, &path.display().to_string()]);
}

fn rejections(path: &Path) -> usize {
    log().count(&[REJECTED, &path.display().to_string()])
}

#[test]
fn a_dropped_keyer_takes_over_while_calls_run() {
    let folder = Folder::new();
    let running = Running::standard(&folder);
    let old = Arc::clone(&running.policies.keyers[0]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut calls = 0;
                    while !stop.load(Ordering::Relaxed) {
                        assert_eq!(edits(&*old), 0);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        folder.put("exact", &built("ignore-case-and-space"));
        let new = running.keyer();
        assert_eq!(edits(&*new), 1);
        stop.store(true, Ordering::Relaxed);
        for calls in calls {
            assert!(calls.join().expect("no call fails") > 0);
        }
    });
    let status = &running.host.status()[0];
    assert_eq!(
        (status.component.as_str(), status.failures),
        ("ignore-case-and-space", 0)
    );
}

#[test]
fn a_broken_file_leaves_the_old_plugin_and_says_so_once() {
    let folder = Folder::new();
    let running = Running::standard(&folder);
    let path = folder.put("exact", b"nonsense");
    await_rejections(&path, 1);
    let rejected = running.rejected().expect("is rejected");
    assert!(
        rejected.ends_with("cannot be used: it is not webassembly"),
        "{rejected}"
    );
    assert_eq!(running.host.status()[0].source, "built-in");

    // The same content again, and then another: had the first been said twice, there were three.
    folder.put("exact", b"nonsense");
    folder.put("exact", &guests::core_module());
    await_rejections(&path, 2);
    assert!(
        running
            .rejected()
            .expect("is rejected")
            .contains("core module")
    );

    folder.put("exact", &built("ignore-case-and-space"));
    assert_eq!(edits(&*running.keyer()), 1);
    assert_eq!(running.rejected(), None);
    assert_eq!(rejections(&path), 2);
}

#[test]
fn a_deleted_file_leaves_its_plugin_loaded() {
    let folder = Folder::new();
    let path = folder.put("exact", &built("ignore-case-and-space"));
    let running = Running::standard(&folder);
    fs::remove_file(&path).expect("removes");
    log().wait_for(1, &["plugin file is gone", &path.display().to_string()]);
    assert_eq!(running.host.status()[0].component, "ignore-case-and-space");
    assert_eq!(edits(&*running.policies.keyers[0]), 1);

    folder.put("exact", &built("exact"));
    assert_eq!(edits(&*running.keyer()), 0);
}

#[test]
fn a_file_written_in_pieces_is_loaded_once_it_is_whole() {
    let folder = Folder::new();
    let running = Running::standard(&folder);
    let component = built("ignore-case-and-space");
    let path = folder.put("exact", &[]);
    let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
    for piece in component.chunks(1024) {
        file.write_all(piece).expect("writes");
    }
    assert_eq!(edits(&*running.keyer()), 1);
    assert_eq!(rejections(&path), 0);
}

#[test]
fn a_file_that_stays_half_is_rejected_and_loaded_when_the_rest_comes() {
    let folder = Folder::new();
    let running = Running::standard(&folder);
    let component = built("ignore-case-and-space");
    let (head, tail) = component.split_at(component.len() / 2);
    let path = folder.put("exact", head);
    await_rejections(&path, 1);
    let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
    file.write_all(tail).expect("writes");
    assert_eq!(edits(&*running.keyer()), 1);
}

#[test]
fn a_folder_may_come_later_and_come_back() {
    let folder = Folder::new();
    fs::remove_dir(folder.path()).expect("removes");
    let running = Running::standard(&folder);
    for (number, expected) in [(1, "ignore-case-and-space"), (2, "exact")] {
        fs::create_dir(folder.path()).expect("makes a folder");
        folder.put("exact", &guests::variant(&built(expected), number));
        running.keyer();
        assert_eq!(running.host.status()[0].component, expected);
        fs::remove_dir_all(folder.path()).expect("removes");
    }
}

#[test]
fn eviction_and_stats_are_handed_over_with_their_state() {
    let folder = Folder::new();
    let mut running = Running::standard(&folder);
    let old = &mut running.policies.eviction;
    old.on_insert(&entry(7)).expect("inserts");
    let order = old.save().expect("saves");

    folder.put("lru", &guests::variant(&built("lru"), 1));
    let Replacement::Eviction(mut new) = running.replacement() else {
        panic!("not an eviction")
    };
    assert_eq!(new.victims(0, 1).expect("chooses"), []);
    assert!(new.restore(&order).expect("restores"));
    assert_eq!(new.victims(0, 1).expect("chooses"), [entry(7).id]);

    folder.put("standard", &guests::variant(&built("standard"), 1));
    assert!(matches!(running.replacement(), Replacement::Stats(_)));
}
