//! Whether everything that a run will need is there: one finding for each thing, with its remedy. Nothing is changed.

mod cluster;
mod local;
mod systems;
mod ways;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::call::mask::Masker;
use crate::call::pipeline::public_names;
use crate::config::{Config, Dirs, Environment};
use crate::model::{Failure, text};
use crate::platform::real::Real;
use crate::platform::{Cancel, Cx};

/// What is to be examined.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the tool was called.
    pub folder: PathBuf,
    /// Where the operator's own files are.
    pub dirs: Dirs,
    /// `--env` or `RUNBOOK_ENV`.
    pub environment: Option<String>,
    /// `--journal`.
    pub journal: Option<PathBuf>,
}

/// How well a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It works, and a person should know something.
    Warning,
    /// A run that needs it would fail.
    Failed,
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// `configuration`, `journal`, `scripts`, `secrets`, `cluster`, `reach`, `permissions`, `services`, `databases` or `channels`.
    pub area: &'static str,
    /// How well it is.
    pub health: Health,
    /// What was found, on one line.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Takes findings as they come, each masked with the secrets that are known by then.
struct Examiner<'a> {
    config: Arc<Config>,
    masker: Masker,
    say: &'a mut dyn FnMut(Finding),
}

impl Examiner<'_> {
    fn say(&mut self, area: &'static str, health: Health, message: impl Into<String>, remedy: Option<String>) {
        let line = |text: String| text::short(&self.masker.text(text), 1000);
        let (message, remedy) = (line(message.into()), remedy.map(line));
        (self.say)(Finding { area, health, message, remedy });
    }

    fn ok(&mut self, area: &'static str, message: impl Into<String>) {
        self.say(area, Health::Ok, message, None);
    }

    fn warn(&mut self, area: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.say(area, Health::Warning, message, Some(remedy.into()));
    }

    fn fail(&mut self, area: &'static str, what: &str, failure: &Failure) {
        let message = if what.is_empty() { failure.message.clone() } else { format!("{what}: {}", failure.message) };
        self.say(area, Health::Failed, message, failure.hint.clone());
    }
}

/// Examines everything, one thing after the other, and tells each finding at once.
///
/// Where the configuration is not trusted no real system is asked: that is said, and the rest is left out. The scripts are
/// rehearsed in a world all the same, as everybody may run them there, unless the project's file is refused: then
/// somebody else may have written all of it.
pub fn examine(request: &Request, cancel: &Cancel, say: &mut dyn FnMut(Finding)) {
    let config = match Config::load(&request.folder, None, &request.dirs) {
        Ok(config) => Arc::new(config),
        Err(error) => {
            for problem in error.problems {
                let message = text::one_line(&problem.to_string()).into_owned();
                say(Finding { area: "configuration", health: Health::Failed, message, remedy: problem.hint });
            }
            return;
        }
    };
    let masker = Masker::new(public_names(&config));
    let mut examiner = Examiner { config: config.clone(), masker, say };
    let trusted = local::configuration(&mut examiner);
    local::journal(&mut examiner, request);
    let environment = match config.environment(request.environment.as_deref()) {
        Ok(environment) => environment,
        Err(failure) => return examiner.fail("configuration", "", &failure),
    };
    if config.check_writers().is_err() {
        return examiner.warn("scripts", "not looked at while the project's file is refused", "see `configuration` above");
    }
    let needed = local::scripts(&mut examiner, &environment);
    if !trusted {
        return;
    }
    let cx = Cx::quiet(cancel);
    if let Err(failure) = real(&mut examiner, environment, needed, &cx) {
        examiner.fail("configuration", "", &failure);
    }
}

fn real(examiner: &mut Examiner<'_>, environment: Environment, needed: local::Needed, cx: &Cx<'_>) -> Result<(), Failure> {
    let real = Real::new(examiner.config.clone(), environment.clone())?;
    // What can be opened is known to the masker before anything is asked.
    if let Ok(secrets) = real.secrets(cx) {
        examiner.masker.learn(secrets);
    }
    if cluster::reached(examiner, &real, &environment, cx) {
        ways::examined(examiner, &real, &environment, cx);
        cluster::permissions(examiner, &real, needed, cx);
    }
    systems::secrets(examiner, &real, &environment, cx);
    systems::services(examiner, &real, &environment, cx);
    systems::databases(examiner, &real, &environment, cx);
    systems::channels(examiner, &real, &environment, cx);
    Ok(())
}
