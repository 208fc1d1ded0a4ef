//! The binary on a terminal of its own: what a person types, and what the screen shows.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Project;

/// The longest wait for the screen.
const LONGEST: Duration = Duration::from_secs(20);

/// What the line editor writes whenever it begins to read a line.
const READS: &[u8] = b"\x1b[?2004h";

/// What a question's choices end with.
const CHOICES: [&str; 4] = ["[n]o", "[q]uit", "(load):", "if there is one:"];

pub const TAB: &str = "\t";
pub const ENTER: &str = "\r";
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const CTRL_R: &str = "\x12";

/// A process on a terminal.
pub struct Screen {
    child: Child,
    master: File,
    reader: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
    /// How many lines the editor had begun to read when something was last sent.
    lines: usize,
    /// How many questions had been asked by then.
    questions: usize,
}

struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

impl Project {
    /// Starts the binary on a terminal of so many columns and rows, which it controls: Ctrl-C reaches it as a signal.
    #[track_caller]
    pub fn on_terminal<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, columns: u16, rows: u16) -> Screen {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let side = || OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        // A new session with this terminal as its own; setsid becomes the binary, so the process is the same.
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_runbook")]);
        let mut command = self.in_place(command, args);
        command.env("TERM", "xterm-256color");
        command.stdin(Stdio::from(side())).stdout(Stdio::from(side())).stderr(Stdio::from(side()));
        let child = command.spawn().unwrap();
        drop(command);
        let master = File::from(master);
        let seen = Arc::new(Mutex::new(Seen { parser: vt100::Parser::new(rows, columns, 2000), raw: Vec::new() }));
        let (mut from, heard) = (master.try_clone().unwrap(), seen.clone());
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut part) {
                let mut seen = heard.lock().unwrap();
                seen.parser.process(&part[..read]);
                seen.raw.extend_from_slice(&part[..read]);
            }
        });
        Screen { child, master, reader: Some(reader), seen, lines: 0, questions: 0 }
    }
}

impl Screen {
    /// Types.
    #[track_caller]
    pub fn send(&mut self, text: &str) -> &mut Self {
        (self.lines, self.questions) = (self.times_written(READS), self.questions_asked());
        self.master.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Types a line, and waits until the next one can be typed.
    #[track_caller]
    pub fn enter(&mut self, line: &str) -> &mut Self {
        self.send(&format!("{line}{ENTER}")).prompted()
    }

    /// Waits until a line can be typed that could not be when something was last sent.
    #[track_caller]
    pub fn prompted(&mut self) -> &mut Self {
        let before = self.lines;
        self.wait("the next prompt", |screen| screen.times_written(READS) > before && screen.cursor_line().contains(" >"))
    }

    /// Waits until a question can be answered that had not been asked when something was last sent: what is typed before is dropped.
    #[track_caller]
    pub fn asked(&mut self) -> &mut Self {
        let before = self.questions;
        self.wait("the next question", |screen| {
            let line = screen.cursor_line();
            screen.questions_asked() > before && CHOICES.iter().any(|choice| line.trim_end().ends_with(choice))
        })
    }

    /// Clears the screen at the prompt, so that what is looked for next is new.
    #[track_caller]
    pub fn clear(&mut self) -> &mut Self {
        self.send("\x0c").wait("the prompt at the top", |screen| {
            let text = screen.text();
            text.lines().count() == 1 && text.contains(" >")
        })
    }

    /// Waits until the screen has a text on it.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> &mut Self {
        self.wait(&format!("{text:?}"), |screen| screen.text().contains(text))
    }

    /// Waits until the screen has a text no more.
    #[track_caller]
    pub fn until_not(&mut self, text: &str) -> &mut Self {
        self.wait(&format!("{text:?} to go"), |screen| !screen.text().contains(text))
    }

    #[track_caller]
    fn wait(&mut self, what: &str, there: impl Fn(&Self) -> bool) -> &mut Self {
        let started = Instant::now();
        while !there(self) {
            let late = started.elapsed() > LONGEST;
            if late || self.child.try_wait().unwrap().is_some() && !there(self) {
                std::thread::sleep(Duration::from_millis(50));
                if there(self) {
                    break;
                }
                let _ = self.child.kill();
                panic!("{what} never came{}:\n{}", if late { "" } else { ", and it ended" }, self.text());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// Checks what is on the screen now.
    #[track_caller]
    pub fn has(&mut self, text: &str) -> &mut Self {
        let screen = self.text();
        assert!(screen.contains(text), "no {text:?} on the screen:\n{screen}");
        self
    }

    /// Checks what is not on the screen now.
    #[track_caller]
    pub fn has_not(&mut self, text: &str) -> &mut Self {
        let screen = self.text();
        assert!(!screen.contains(text), "{text:?} is on the screen:\n{screen}");
        self
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// The line that the cursor is on.
    pub fn cursor_line(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        let (row, _) = screen.cursor_position();
        let columns = screen.size().1;
        screen.rows(0, columns).nth(usize::from(row)).unwrap_or_default()
    }

    /// Everything that was written, escape sequences and all.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().raw).into_owned()
    }

    fn questions_asked(&self) -> usize {
        CHOICES.iter().map(|choice| self.times_written(choice.as_bytes())).sum()
    }

    fn times_written(&self, bytes: &[u8]) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.raw.windows(bytes.len()).filter(|part| *part == bytes).count()
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; answers the exit code, none after a signal.
    #[track_caller]
    pub fn ended(&mut self) -> Option<i32> {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > LONGEST {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", self.text());
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        status.code()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
