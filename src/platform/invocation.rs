//! What a program's run comes to, wherever it ran: its output within bounds or in a file, its exit code as an answer or a failure.

use super::failures::in_doubt;
use super::save::Saver;
use std::time::Duration;

use crate::model::operation::{Command, Exec, Invocation, Save};
use crate::model::{Failure, Key, Kind, Map, Sent, Value, duration, text};

/// The most output that is kept, in bytes, both streams together; the largest answer that a script may hold.
const MOST_BYTES: usize = 8 << 20;
/// So many of the last bytes of an error stream are looked at for its last words.
const WORDS_FROM: usize = 64 << 10;
/// So many characters of the last words stand in a failure's message.
const MOST_WORDS: usize = 300;

/// One of a program's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A program's output while it comes in. All of it is read to its end, so that the program is not held up; only so much is kept.
pub(super) struct Output {
    out: Vec<u8>,
    err: Vec<u8>,
    /// The end of the error stream, kept whatever else is.
    words: Vec<u8>,
    saver: Option<Result<Saver, Failure>>,
    /// All that came and was not saved.
    bytes: u64,
}

impl Output {
    /// Begins, with the file that standard output goes to.
    pub(super) fn begin(save: Option<&Save>) -> Result<Self, Failure> {
        let saver = save.map(Saver::begin).transpose()?.map(Ok);
        Ok(Self { out: Vec::new(), err: Vec::new(), words: Vec::new(), saver, bytes: 0 })
    }

    /// Takes what came on a stream.
    pub(super) fn push(&mut self, stream: Stream, data: &[u8]) {
        if stream == Stream::Err {
            self.words.extend_from_slice(data);
            if self.words.len() > 2 * WORDS_FROM {
                self.words.drain(..self.words.len() - WORDS_FROM);
            }
        }
        if let (Stream::Out, Some(saver)) = (stream, &mut self.saver) {
            // A file that cannot be written ends the call when the program has ended: only then it is known what it did.
            if let Err(failure) = saver.as_mut().map_or(Ok(()), |saver| saver.write(data)) {
                self.saver = Some(Err(failure));
            }
            return;
        }
        self.bytes += data.len() as u64;
        if self.is_too_much() {
            (self.out, self.err) = (Vec::new(), Vec::new());
            return;
        }
        let kept = if stream == Stream::Out { &mut self.out } else { &mut self.err };
        kept.extend_from_slice(data);
    }

    fn is_too_much(&self) -> bool {
        self.bytes > MOST_BYTES as u64
    }

    /// The program's last words: masked whole, and cut only then.
    fn last_words(&self, mask: &dyn Fn(String) -> String) -> String {
        let words = mask(String::from_utf8_lossy(&self.words).into_owned());
        let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = lines.join(" | ");
        match said.char_indices().nth_back(MOST_WORDS) {
            Some((cut, _)) => format!("…{}", said[cut..].chars().skip(1).collect::<String>()),
            None => said,
        }
    }

    /// What an ended program answers, with further fields; `what` names it. An exit code that is not among those wanted is a failure.
    pub(super) fn ended(
        self,
        what: &str,
        run: &Invocation,
        exit_code: i64,
        fields: impl IntoIterator<Item = (&'static str, Value)>,
        mask: &dyn Fn(String) -> String,
    ) -> Result<Value, Failure> {
        if !run.ok_exit.contains(&exit_code) {
            let words = self.last_words(mask);
            let said = if words.is_empty() { String::new() } else { format!(": {words}") };
            return Err(Failure::new(Kind::Failed, format!("{what} ended with exit code {exit_code}{said}"))
                .hint(format!("if {exit_code} is expected, pass `ok_exit: [{exit_code}]`"))
                .sent(Sent::Yes));
        }
        if self.is_too_much() {
            let message = format!("{what} ended with exit code {exit_code}, but its output of {} bytes is larger than 8 MiB", self.bytes);
            return Err(Failure::new(Kind::TooLarge, message)
                .hint("ask it for less, or stream it to a file: `save: \"evidence/dump\"`")
                .sent(Sent::Done));
        }
        let text = |bytes: Vec<u8>| Value::Str(String::from_utf8_lossy(&bytes).into_owned());
        let mut answer = Map::new();
        answer.insert("exit_code".into(), exit_code.into());
        match self.saver {
            None => drop(answer.insert("stdout".into(), text(self.out))),
            Some(saver) => {
                let saved = saver.and_then(Saver::finish).map_err(|failure| {
                    let message = format!("{what} ended with exit code {exit_code}, but its output is not saved: {}", failure.message);
                    Failure { message, sent: Sent::Done, ..failure }
                })?;
                answer.insert("saved".into(), saved);
            }
        }
        answer.insert("stderr".into(), text(self.err));
        answer.extend(fields.into_iter().map(|(key, value)| (Key::from(key), value)));
        Ok(Value::Map(answer))
    }
}

/// The failure of a program whose end nobody knows, though it was started; `what` names it.
pub(super) fn lost(what: &str, why: &str) -> Failure {
    in_doubt(format!("{what} was started, and how it ended is not known: {why}"))
}

/// The failure of a program in a container that is still running when nobody waits for it any more.
pub(super) fn left_running(what: &str, limit: Duration) -> Failure {
    lost(what, &format!("it has not ended within {}", duration::show(limit))).hint(
        "nothing stops it in its container: it may still be running; look there before doing it again, or give it longer with `timeout:`",
    )
}

/// The failure of a program that is not there; `place` is where it was looked for.
pub(super) fn no_program(argv: &[String], place: &str) -> Failure {
    let program = argv.first().map(String::as_str).unwrap_or_default();
    Failure::new(Kind::NotFound, format!("there is no program {program:?} {place}")).hint("is its name right, and is it installed there?")
}

/// Where a program of this machine is looked for.
pub(super) const ON_PATH: &str = "on this machine's PATH";

/// Where a program in a container is looked for.
pub(super) fn in_container(exec: &Exec) -> String {
    format!("in the container {} of pod/{}", exec.container, exec.pod)
}

/// The failure of a program on this machine that was stopped since its time was over.
pub(super) fn stopped(what: &str, limit: Duration) -> Failure {
    lost(what, &format!("it has not ended within {}, and was stopped with its children", duration::show(limit)))
        .hint("what it did until then is done: look before doing it again, or give it longer with `timeout:`")
}

/// How a command in a container is named in messages.
pub(super) fn of_exec(exec: &Exec) -> String {
    format!("{} in pod/{}", named(&exec.run.argv), exec.pod)
}

/// How a command on this machine is named in messages.
pub(super) fn of_command(command: &Command) -> String {
    named(&command.run.argv)
}

/// A program's words, cut where there are many.
fn named(argv: &[String]) -> String {
    const MOST: usize = 120;
    let words: Vec<String> = argv.iter().map(|word| super::equivalent::word(word)).collect();
    text::short(&words.join(" "), MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(save: Option<Save>) -> Invocation {
        let timeout = std::time::Duration::from_secs(1);
        Invocation { argv: vec!["dump".into()], stdin: None, ok_exit: vec![0, 2], save, timeout }
    }

    fn ended(output: Output, run: &Invocation, code: i64) -> Result<Value, Failure> {
        output.ended("dump", run, code, [("pod", "db-0".into())], &|text| text.replace("hunter2hunter2", "***"))
    }

    #[test]
    fn output_is_text_and_a_wanted_exit_code_an_answer() {
        let mut output = Output::begin(None).unwrap();
        output.push(Stream::Out, b"one \xff\n");
        output.push(Stream::Err, b"note\n");
        let answer = ended(output, &run(None), 2).unwrap();
        assert_eq!(answer.to_string(), r#"{"exit_code":2,"pod":"db-0","stderr":"note\n","stdout":"one �\n"}"#);
    }

    #[test]
    fn a_failures_last_words_are_masked_before_they_are_cut() {
        let mut output = Output::begin(None).unwrap();
        output.push(Stream::Err, "x".repeat(200 << 10).as_bytes());
        // Its second half begins the last 300 characters.
        output.push(Stream::Err, format!("hunter2hunter2 {}", "y".repeat(292)).as_bytes());
        let failure = ended(output, &run(None), 3).unwrap_err();
        assert_eq!((failure.kind, failure.sent), (Kind::Failed, Sent::Yes));
        assert!(failure.message.starts_with("dump ended with exit code 3: …") && failure.message.ends_with('y'), "{}", failure.message);
        assert!(!failure.message.contains("hunter2") && failure.message.contains("** yyy"), "{}", failure.message);
        assert_eq!(failure.hint.as_deref(), Some("if 3 is expected, pass `ok_exit: [3]`"));
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_kept() {
        let mut output = Output::begin(None).unwrap();
        for _ in 0..20 {
            output.push(Stream::Out, &vec![b'x'; 1 << 20]);
        }
        assert_eq!(output.out.capacity(), 0);
        let failure = ended(output, &run(None), 0).unwrap_err();
        assert_eq!(failure.kind, Kind::TooLarge);
        assert!(failure.message.contains("exit code 0, but its output of 20971520 bytes"), "{}", failure.message);
    }

    #[test]
    fn what_is_saved_is_saved_byte_by_byte_and_only_of_a_run_that_was_well() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str| Save { path: folder.path().join(name), shown: name.to_owned(), keep: true };
        let mut output = Output::begin(Some(&save("dump"))).unwrap();
        output.push(Stream::Out, b"\x00\xff\r\n");
        output.push(Stream::Err, b"done");
        let answer = ended(output, &run(Some(save("dump"))), 0).unwrap();
        assert_eq!((answer.int_at(&["saved", "bytes"]), answer.str_at(&["stderr"]), answer.get("stdout")), (Some(4), Some("done"), None));
        assert_eq!(std::fs::read(folder.path().join("dump")).unwrap(), b"\x00\xff\r\n");
        let mut output = Output::begin(Some(&save("half"))).unwrap();
        output.push(Stream::Out, b"half");
        ended(output, &run(Some(save("half"))), 1).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something of it was left behind");
    }
}
