//! Looks at a server again and again.

use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::{sync::mpsc, task::JoinHandle, time::MissedTickBehavior};

use crate::live::{Live, LiveError};

/// Looks at a server at an interval, until it is dropped.
#[derive(Debug)]
pub struct Poll {
    looks: mpsc::Receiver<Look>,
    task: JoinHandle<()>,
}

/// What was seen, and how long after the look before.
type Look = (Result<Live, LiveError>, Duration);

impl Poll {
    /// Begins with a look at once.
    #[must_use]
    pub fn start(client: Client, url: &str, interval: Duration) -> Self {
        let (sender, looks) = mpsc::channel(1);
        let task = tokio::spawn(poll(client, url.to_owned(), interval, sender));
        Self { looks, task }
    }

    /// The next look.
    pub async fn next(&mut self) -> Look {
        let look = self.looks.recv().await;
        look.expect("the task ends after its receiver")
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn poll(client: Client, url: String, interval: Duration, sender: mpsc::Sender<Look>) {
    let mut due = tokio::time::interval(interval);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        due.tick().await;
        let look = Live::read(&client, &url).await;
        let now = Instant::now();
        let took = now - std::mem::replace(&mut last, now);
        if sender.send((look, took)).await.is_err() {
            return;
        }
    }
}
