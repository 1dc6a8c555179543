//! The terminal: taken over, drawn on, and given back.

use std::{io, time::Duration};

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyModifiers};
use futures_util::StreamExt as _;
use ratatui::DefaultTerminal;
use reqwest::Client;
use tokio::signal::unix::{SignalKind, signal};

use super::{Board, Poll, view};

/// Why the screen is not shown any more.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// The terminal takes nothing.
    #[error("the terminal cannot be used")]
    Terminal(#[from] io::Error),
}

/// Shows a server until somebody quits. The terminal is given back in any case: here, and after a
/// panic by the hook that ratatui sets.
pub async fn show(client: Client, url: &str, interval: Duration) -> Result<(), ScreenError> {
    let mut terminal = ratatui::try_init()?;
    let shown = run(&mut terminal, client, url, interval).await;
    let restored = ratatui::try_restore();
    shown?;
    Ok(restored?)
}

async fn run(
    terminal: &mut DefaultTerminal,
    client: Client,
    url: &str,
    interval: Duration,
) -> io::Result<()> {
    let mut board = Board::new(url);
    let mut poll = Poll::start(client, url, interval);
    let mut events = EventStream::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        terminal.draw(|frame| view::draw(&board, frame))?;
        tokio::select! {
            (look, took) = poll.next() => board.update(look, took),
            event = events.next() => match event.transpose()? {
                Some(Event::Key(key)) if quits(key) => return Ok(()),
                // A resize: it is drawn anew.
                Some(_) => {}
                None => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// In raw mode Ctrl-C is a key like any other.
fn quits(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Esc | KeyCode::Char('q') => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_keys_quit() {
        let key = |code, modifiers| quits(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
    }
}
