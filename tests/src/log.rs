//! What a server logs, read as it comes.

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::watch,
};

/// A child's standard error. It is closed when nobody can write to it any more.
pub(crate) struct Log(pub(crate) watch::Receiver<String>);

impl Default for Log {
    /// One that is empty and stays so.
    fn default() -> Self {
        Self(watch::channel(String::new()).1)
    }
}

impl Log {
    /// Reads it to its end; keeps at least the last half of so many bytes.
    pub(crate) fn follow(stderr: impl AsyncRead + Unpin + Send + 'static, kept: usize) -> Self {
        let (sender, receiver) = watch::channel(String::new());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|text| {
                    text.extend([line.as_str(), "\n"]);
                    if text.len() > kept {
                        text.drain(..text.ceil_char_boundary(text.len() - kept / 2));
                    }
                });
            }
        });
        Self(receiver)
    }

    pub(crate) fn text(&self) -> String {
        self.0.borrow().clone()
    }
}
