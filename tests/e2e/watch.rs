//! `deja watch`, on a terminal and in a pipe.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
};

use deja_tests::{Answer, Api, Deja, Setup, Upstream, deja_command, eventually, printed, required};
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use vt100::Parser;

const API: Api = Api::OpenAi;
async fn deja() -> (Upstream, Deja) {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    for _ in 0..4 {
        deja.answer(API, "Is it so?").await;
    }
    (upstream, deja)
}

/// `deja watch` on a terminal of its own.
struct Screen {
    terminal: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    parser: Arc<Mutex<Parser>>,
    reader: thread::JoinHandle<()>,
}

impl Screen {
    fn watching(url: &str) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize::default())
            .expect("a terminal can be made");
        let mut command = CommandBuilder::new(required("DEJA_BIN"));
        command.args(["watch", url, "--interval=50ms"]);
        command.env("TERM", "xterm-256color");
        let child = pair
            .slave
            .spawn_command(command)
            .expect("deja can be started");
        let mut output = pair.master.try_clone_reader().expect("it can be read");
        let parser = Arc::new(Mutex::new(Parser::default()));
        let written = parser.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The other end's closing reads as an error on Linux.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                written
                    .lock()
                    .expect("nobody panicked")
                    .process(&buffer[..length]);
            }
        });
        Self {
            terminal: pair.master,
            child,
            parser,
            reader,
        }
    }

    fn text(&self) -> String {
        self.parser
            .lock()
            .expect("nobody panicked")
            .screen()
            .contents()
    }

    async fn shows(&self, text: &str) {
        eventually(text, async || self.text().contains(text)).await;
    }

    /// Presses a key, and waits for the end.
    fn press(mut self, key: &str) -> (ExitStatus, Parser) {
        let mut keys = self.terminal.take_writer().expect("it can be written to");
        keys.write_all(key.as_bytes()).expect("it takes a key");
        let status = self.child.wait().expect("it ends");
        drop(self.terminal);
        self.reader.join().expect("nobody panicked");
        let parser = Arc::into_inner(self.parser).expect("the reader has ended");
        (status, parser.into_inner().expect("nobody panicked"))
    }
}

#[tokio::test]
async fn the_screen_shows_a_server_and_is_given_back() {
    let (_upstream, deja) = deja().await;
    for key in ["q", "\u{1b}", "\u{3}"] {
        let screen = Screen::watching(deja.url());
        screen.shows("75.0% since the start").await;
        screen.shows("lru").await;
        assert!(
            screen
                .parser
                .lock()
                .expect("nobody panicked")
                .screen()
                .alternate_screen()
        );
        let (status, parser) = screen.press(key);
        assert!(status.success(), "{status:?}");
        assert!(!parser.screen().alternate_screen() && !parser.screen().hide_cursor());
    }
}

#[tokio::test]
async fn a_lost_server_is_told_and_found_again() {
    let (upstream, deja) = deja().await;
    let url = deja.url().to_owned();
    let screen = Screen::watching(&url);
    screen.shows("75.0% since the start").await;
    drop(deja);
    screen.shows("trying again").await;
    let listen = format!(
        "[server]\nlisten = \"{}\"\n",
        url.trim_start_matches("http://")
    );
    let settings = listen + &upstream.backend(API);
    let _again = Setup::new(&settings).start().await;
    screen.shows("– since the start").await;
    let (status, _) = screen.press("q");
    assert!(status.success(), "{status:?}");
}

#[tokio::test]
async fn one_look_is_printed_as_text_and_as_json() {
    let (_upstream, deja) = deja().await;
    let watch = |arguments: &[&str]| {
        let arguments = [&["watch", deja.url(), "--once"], arguments].concat();
        deja_command(&arguments, Path::new("."))
    };
    let text = printed(&mut watch(&[])).await;
    assert!(text.contains("hit rate    75.0%"), "{text}");
    assert!(text.contains("3 hit, 1 miss"), "{text}");
    let live: Value =
        serde_json::from_str(&printed(&mut watch(&["--json"])).await).expect("it is JSON");
    assert_eq!(live["requests"]["hit"], 3);
    assert_eq!(live["entries"], 1);
    assert!(live["plugins"][0]["failures"].is_number(), "{live}");
}

#[tokio::test]
async fn a_pipe_gets_a_line_for_each_look_until_it_is_closed() {
    let (_upstream, deja) = deja().await;
    for (flags, expected) in [(&[][..], "75.0% since"), (&["--json"], "\"hit\":3")] {
        let arguments = [&["watch", deja.url(), "--interval=20ms"], flags].concat();
        let mut command = deja_command(&arguments, Path::new("."));
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("deja can be started");
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        for _ in 0..3 {
            let line = lines.next_line().await.expect("it can be read");
            let line = line.expect("lines go on");
            assert!(line.contains(expected), "{line}");
        }
        drop(lines);
        let status = child.wait().await.expect("it ends");
        assert!(status.success(), "{status:?}");
    }
}

#[tokio::test]
async fn one_look_at_nobody_is_an_error() {
    let (upstream, deja) = deja().await;
    let gone = deja.url().to_owned();
    drop(deja);
    for (url, why) in [
        (gone.as_str(), "no server answers at"),
        (upstream.url(), "is not Deja"),
    ] {
        let watch = ["watch", url, "--once"];
        let output = deja_command(&watch, Path::new(".")).output().await;
        let output = output.expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(why), "{errors}");
    }
}
