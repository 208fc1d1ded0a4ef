//! `runbook trust`: shows what the project's file allows, and records it as trusted.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::config::trust::{Allowed, summary};
use crate::config::{Config, Dirs};
use crate::model::text::one_line;
use crate::model::{Failure, Kind};
use crate::platform::clock::{Clock as _, MachineClock};

/// Trust the project's runbook.toml
///
/// Shows which clusters, commands, secrets and destinations the file names, as a difference to what was trusted before,
/// and asks. Until then nothing in it acts on real systems; worlds and `check` need no trust.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Trust it without asking
    #[arg(long)]
    pub yes: bool,
}

/// Trusts the file of the project around `start`. Ends in 0, or in `not_confirmed` where the answer is no or nobody is there to give one.
pub fn run(args: &Args, start: &Path, input: &mut dyn BufRead, interactive: bool, out: &mut dyn Write) -> Result<i32, Failure> {
    trust(args, start, &Dirs::from_env()?, MachineClock::default().now(), input, interactive, out)
}

fn trust(
    args: &Args,
    start: &Path,
    dirs: &Dirs,
    now: Timestamp,
    input: &mut dyn BufRead,
    interactive: bool,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    let config = Config::load(start, None, dirs)?;
    let Some(file) = &config.file else {
        return Err(Failure::new(Kind::NotFound, format!("there is no runbook.toml in {}", config.root.display()))
            .hint("nothing needs trust without one"));
    };
    config.check_writers()?;
    let before = config.trusted()?;
    let named = file.display().to_string();
    let named = one_line(&named);
    let mut say = |text: &str| out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(broken);
    if before.as_ref().is_some_and(|before| config.is_as_trusted(before)) {
        say(&format!("{named} is trusted already, as it is\n"))?;
        return Ok(0);
    }
    let allowed = summary(&config);
    say(&match &before {
        None => format!("{named} has never been trusted. It allows:\n{}", difference(&Allowed::default(), &allowed)),
        Some(before) => {
            let since = before.when.strftime("%Y-%m-%d %H:%M UTC");
            let what = if before.sha256 == config.hash { "runs programs that have" } else { "has" };
            format!("{named} {what} changed since it was trusted on {since}. What it allows:\n{}", difference(&before.allowed, &allowed))
        }
    })?;
    if !args.yes {
        if !interactive {
            return Err(
                Failure::new(Kind::NotConfirmed, "nobody is here to say yes").hint("read the list above, then `runbook trust --yes`")
            );
        }
        say("\nTrust it? [y/N] ")?;
        let mut answer = String::new();
        input.read_line(&mut answer).map_err(broken)?;
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Err(Failure::new(Kind::NotConfirmed, format!("{named} is not trusted")));
        }
    }
    config.trust(now)?;
    say(&format!("trusted {named} (SHA-256 {})\n", &config.hash[..12.min(config.hash.len())]))?;
    Ok(0)
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("the terminal is gone: {}", error.kind()))
}

/// The lines that came (`+`) and went (`-`), by group; where there was something before, groups without a change are counted only.
fn difference(before: &Allowed, after: &Allowed) -> String {
    let mut text = String::new();
    let mut same = 0;
    for ((title, old), (_, new)) in before.groups().into_iter().zip(after.groups()) {
        same += old.intersection(new).count();
        if old != new {
            text.push_str(&format!("  {title}\n"));
            let all: BTreeSet<&String> = old.union(new).collect();
            for line in all.into_iter().filter(|line| !(old.contains(*line) && new.contains(*line))) {
                let sign = if new.contains(line) { '+' } else { '-' };
                text.push_str(&format!("    {sign} {}\n", one_line(line)));
            }
        }
    }
    match (text.is_empty(), same) {
        (true, 0) => "  nothing: no cluster, no secret, no destination\n".to_owned(),
        (true, same) => format!("  the same {same} things as before\n"),
        (false, 0) => text,
        (false, same) => format!("{text}  {same} more as before\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new(text: &str) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            place.write(text);
            place
        }

        fn write(&self, text: &str) {
            let file = self.0.path().join("runbook.toml");
            fs::write(&file, text).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }

        fn trust(&self, yes: bool, answer: Option<&str>) -> (Result<i32, Failure>, String) {
            let dirs = Dirs { config: self.0.path().join("config"), state: self.0.path().join("state") };
            let now = "2025-09-01T12:00:00Z".parse().unwrap();
            let mut out = Vec::new();
            let mut input = answer.unwrap_or("").as_bytes();
            let result = trust(&Args { yes }, self.0.path(), &dirs, now, &mut input, answer.is_some(), &mut out);
            let top = self.0.path().canonicalize().unwrap().display().to_string();
            (result, String::from_utf8(out).unwrap().replace(&top, "TOP"))
        }
    }

    const FIRST: &str = "[services.api]\nurl = \"http://api:1\"\n[environments.prod]\ncontext = \"prod-eu\"\n";

    #[test]
    fn asks_on_a_terminal_and_shows_the_difference_later() {
        let place = Place::new(FIRST);
        let (result, shown) = place.trust(false, Some("n\n"));
        assert_eq!(result.unwrap_err().kind, Kind::NotConfirmed);
        let expected = "\
TOP/runbook.toml has never been trusted. It allows:
  clusters
    + prod: context prod-eu, cluster any UID, namespace default
  destinations
    + all: api at http://api:1

Trust it? [y/N] ";
        assert_eq!(shown, expected);
        assert_eq!(place.trust(false, Some("yes\n")).0, Ok(0));
        assert_eq!(place.trust(false, None), (Ok(0), "TOP/runbook.toml is trusted already, as it is\n".to_owned()));

        place.write(&FIRST.replace("prod-eu", "prod-us\u{202e}"));
        let (result, shown) = place.trust(true, None);
        let expected = "\
TOP/runbook.toml has changed since it was trusted on 2025-09-01 12:00 UTC. What it allows:
  clusters
    - prod: context prod-eu, cluster any UID, namespace default
    + prod: context prod-us\\u{202e}, cluster any UID, namespace default
  1 more as before
";
        assert_eq!(result, Ok(0));
        assert!(shown.starts_with(expected), "{shown}");
    }

    #[test]
    fn a_program_that_changed_is_asked_about_again() {
        let file = "[environments.prod.databases.postgres]\nurl = \"postgres://ops@pg/app\"\npassword = { command = [\"./pw.sh\"] }\n";
        let place = Place::new(file);
        fs::write(place.0.path().join("pw.sh"), "echo one").unwrap();
        assert_eq!(place.trust(true, None).0, Ok(0));
        fs::write(place.0.path().join("pw.sh"), "echo two").unwrap();
        let (result, shown) = place.trust(false, Some("n\n"));
        assert_eq!(result.unwrap_err().kind, Kind::NotConfirmed);
        assert!(shown.contains("runs programs that have changed since"), "{shown}");
        let line = |sign: &str, text: &str| {
            let hash = crate::config::sha256_hex(text.as_bytes());
            format!("    {sign} prod: [\"./pw.sh\"] (for postgres), ./pw.sh: SHA-256 {hash}\n")
        };
        assert!(shown.contains(&line("-", "echo one")) && shown.contains(&line("+", "echo two")), "{shown}");
    }

    #[test]
    fn nobody_there_is_no_yes() {
        let place = Place::new(FIRST);
        for (answer, kind) in [(None, Kind::NotConfirmed), (Some(""), Kind::NotConfirmed), (Some("\n"), Kind::NotConfirmed)] {
            assert_eq!(place.trust(false, answer).0.unwrap_err().kind, kind);
        }
        assert_eq!(place.trust(true, None).0, Ok(0));
    }

    #[test]
    fn what_others_can_write_cannot_be_trusted() {
        let place = Place::new(FIRST);
        fs::set_permissions(place.0.path().join("runbook.toml"), fs::Permissions::from_mode(0o622)).unwrap();
        let failure = place.trust(true, None).0.unwrap_err();
        assert_eq!(failure.kind, Kind::Denied);
        assert!(failure.hint.unwrap().starts_with("chmod go-w "));
        fs::remove_file(place.0.path().join("runbook.toml")).unwrap();
        assert_eq!(place.trust(true, None).0.unwrap_err().kind, Kind::NotFound);
    }
}
