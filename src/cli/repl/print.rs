//! Results and long texts on the screen.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use super::highlight::paint;
use crate::cli::render::{self, Most};
use crate::model::{Value, text};

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    /// Whether colours may be used.
    pub(super) colour: bool,
    /// Whether somebody looks at it on a screen.
    pub(super) screen: bool,
}

/// A screen's columns and rows, or 120 by 40 where there is none.
pub(super) fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
    size.filter(|(columns, rows)| *columns >= 20 && *rows >= 5).unwrap_or((120, 40))
}

const REST: &str = " (:more shows all)";
const HIDDEN: &str = "rows are shown by shape; show(_, #{ reveal: true }) shows them, on record";

impl Printer {
    /// For standard output as it is.
    pub(super) fn new() -> Self {
        let out = io::stdout();
        Self { colour: super::super::colour(&out), screen: out.is_terminal() }
    }

    /// Writes a text and ends the line. Whoever reads may have seen enough.
    pub(super) fn line(self, text: &str) {
        let _ = writeln!(io::stdout(), "{text}");
    }

    /// A remark beside the results.
    pub(super) fn remark(self, text: &str) {
        self.line(&if self.colour { paint("2", text) } else { text.to_owned() });
    }

    /// Shows a result: as much of it as the screen holds.
    pub(super) fn result(self, value: &Value, hidden: bool) {
        let (width, height) = size();
        // Without a screen all of it goes where it is wanted.
        let rows = if self.screen { height.saturating_sub(5).max(5) } else { usize::MAX };
        let text = if self.screen { 400.max(width * 2) } else { usize::MAX };
        let mut shown = body(value, width, Most { rows, text, rest: REST });
        if matches!(value, Value::Str(said) if said.chars().count() > text) && shown.lines().count() == 1 {
            shown.push_str(REST);
        }
        let lines = shown.lines().count();
        // Rows are counted already; they are cut only where they go over many lines.
        let most = if matches!(value, Value::List(_)) { rows.saturating_mul(2) } else { rows.saturating_add(2) };
        if lines > most {
            let kept: Vec<&str> = shown.lines().take(rows).collect();
            shown = format!("{}\n… {} more lines{REST}", kept.join("\n"), lines - rows);
        }
        self.line(&shown);
        if hidden {
            self.remark(HIDDEN);
        }
    }

    /// Shows all of a value.
    pub(super) fn all(self, value: &Value) {
        self.page(&body(value, size().0, Most { rows: usize::MAX, text: usize::MAX, rest: "" }));
    }

    /// Shows a text, through the pager where it is longer than the screen.
    pub(super) fn page(self, text: &str) {
        let text = text.trim_end_matches('\n');
        if !self.screen || text.lines().count() < size().1 || paged(text).is_err() {
            self.line(text);
        }
    }
}

fn body(value: &Value, width: usize, most: Most) -> String {
    match value {
        Value::Str(said) if said.contains('\n') => said.lines().map(text::one_line).collect::<Vec<_>>().join("\n"),
        other => render::body(other, width, most),
    }
}

/// Shows a text with `$PAGER`, or `less`. The pager is the person's own choice, like the shell; it gets no more of the
/// environment than it needs.
#[allow(clippy::disallowed_methods)]
fn paged(text: &str) -> io::Result<()> {
    let wanted = std::env::var("PAGER").unwrap_or_default();
    let mut words = wanted.split_whitespace();
    let program = words.next().unwrap_or("less");
    let mut command = Command::new(program);
    command.args(words).env_clear().stdin(Stdio::piped());
    for name in ["PATH", "HOME", "TERM", "TERMINFO", "LANG", "LC_ALL", "LC_CTYPE", "LESS", "LESSCHARSET", "COLUMNS", "LINES"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let mut pager = command.spawn()?;
    if let Some(mut input) = pager.stdin.take() {
        // One that is left early has closed its end.
        let _ = writeln!(input, "{text}");
    }
    pager.wait().map(|_| ())
}
