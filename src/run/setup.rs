//! From a request to everything that a run needs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::call::history::{History, NoHistory};
use crate::call::ledger::Ledger;
use crate::call::mask::Masker;
use crate::call::pipeline::public_names;
use crate::call::policy::Policy;
use crate::call::ui::Answers;
use crate::call::{Latch, Mode, Pipeline, Ui};
use crate::config::{Config, Environment, repository};
use crate::engine::Script;
use crate::journal::entry::Header;
use crate::journal::{self, Durability, Mine, Writer};
use crate::model::{Failure, Value};
use crate::platform::absent::Absent;
use crate::platform::clock::{Clock, MachineClock};
use crate::platform::real::Real;
use crate::platform::rehearsal::Rehearsal;
use crate::platform::world::World;
use crate::platform::{self, Platform};

use super::{Request, Stage, recording};

/// What answers a run, chosen once.
pub struct Staged {
    platform: Box<dyn Platform>,
    /// `real`, `world`, `world:FILE` or `replay:RUN`.
    pub name: String,
    history: Box<dyn History>,
    secrets: Vec<crate::model::Secret>,
    mode: Mode,
    /// The recorded parameters of a replay.
    pub params: Option<Value>,
    /// The recorded steps of a replay: title, line, whether it was skipped.
    pub steps: Option<Vec<(String, u32, bool)>>,
    cluster_uid: Option<String>,
}

/// Chooses the platform and, for the real systems, opens the secrets that must be masked.
pub fn stage(request: &Request, config: &Arc<Config>, latch: &Latch) -> Result<Staged, Failure> {
    let mode = if request.dry_run { Mode::Rehearse } else { Mode::Apply };
    let name = request.environment.as_deref();
    let staged = |platform: Box<dyn Platform>, name: String| Staged {
        platform,
        name,
        history: Box::new(NoHistory),
        secrets: Vec::new(),
        mode,
        params: None,
        steps: None,
        cluster_uid: None,
    };
    let now = MachineClock::default().now();
    match &request.stage {
        Stage::HealthyWorld => {
            let world = World::healthy(config.clone(), config.world_environment(name)?, now)?;
            Ok(staged(wrap(world, mode), "world".to_owned()))
        }
        Stage::World(path) => {
            let world = World::load(path, config.clone(), config.world_environment(name)?, now)?;
            Ok(staged(wrap(world, mode), format!("world:{}", path.display())))
        }
        Stage::Real => {
            config.check_trust()?;
            let environment = config.environment(name)?;
            let cluster_uid = environment.cluster_uid.clone();
            let real = Real::new(config.clone(), environment)?;
            let secrets = real.secrets(&platform::Cx::quiet(latch.cancel()))?;
            Ok(Staged { secrets, cluster_uid, ..staged(wrap(real, mode), "real".to_owned()) })
        }
        Stage::Replay(wanted) => replayed(request, config, wanted),
    }
}

/// Wraps a platform for a rehearsal: by its type a rehearsal cannot change what it wraps.
fn wrap(platform: impl Platform + 'static, mode: Mode) -> Box<dyn Platform> {
    match mode {
        Mode::Apply => Box::new(platform),
        Mode::Rehearse => Box::new(Rehearsal::new(platform)),
    }
}

fn replayed(request: &Request, config: &Config, wanted: &str) -> Result<Staged, Failure> {
    let user = repository::user().name;
    let root = config.root.display().to_string();
    let path = journal::find(&folder(request, config), wanted, &Mine { user: &user, project: &root })?;
    let journal = journal::read(&path)?;
    let header = &journal.header;
    let known = config.environments.get(&header.environment).cloned();
    let environment = known.unwrap_or_else(|| Environment { name: header.environment.clone(), ..Environment::default() });
    let start = journal.lines.first().map_or(jiff::Timestamp::UNIX_EPOCH, |line| line.time);
    let history = recording::replay(&journal)?;
    Ok(Staged {
        platform: Box::new(Absent::new(environment, start)),
        name: format!("replay:{}", header.run),
        history: Box::new(history),
        secrets: Vec::new(),
        mode: if header.dry_run { Mode::Rehearse } else { Mode::Apply },
        params: Some(header.params.clone()),
        steps: Some(recording::steps(&journal)),
        cluster_uid: header.cluster_uid.clone(),
    })
}

fn folder(request: &Request, config: &Config) -> std::path::PathBuf {
    request.journal.clone().unwrap_or_else(|| config.journal_folder())
}

/// Begins the journal and puts the pipeline together; a sitting has no script.
pub fn pipeline(
    request: &Request,
    config: Arc<Config>,
    staged: Staged,
    script: Option<&Script>,
    params: &Value,
    ui: Arc<dyn Ui>,
    latch: Arc<Latch>,
) -> Result<Pipeline, Failure> {
    let real = request.stage == Stage::Real;
    let environment = staged.platform.environment().clone();
    let masker = Masker::new(public_names(&config));
    masker.learn(staged.secrets.iter().cloned());
    let mut header = header(request, &config, &staged, script, &masker.value(params.clone()), &environment);
    let durability = if real { Durability::EachLine } else { Durability::Buffered };
    let now = staged.platform.clock().now();
    let journal = Writer::create(&folder(request, &config), &mut header, now, durability)?;
    let asks = real && staged.mode == Mode::Apply && environment.protected;
    Ok(Pipeline {
        policy: Policy::new(asks, &environment.name, request.yes, request.confirm.clone()),
        durable: real && staged.mode == Mode::Apply,
        platform: staged.platform,
        platform_name: staged.name,
        mode: staged.mode,
        config,
        journal,
        history: staged.history,
        masker,
        latch,
        ui,
        answers: Answers::new(request.answers.clone()),
        ledger: Mutex::new(Ledger::default()),
    })
}

fn header(
    request: &Request,
    config: &Config,
    staged: &Staged,
    script: Option<&Script>,
    params: &Value,
    environment: &Environment,
) -> Header {
    let user = repository::user();
    let now = MachineClock::default().now();
    let random = u64::from_le_bytes(uuid::Uuid::new_v4().into_bytes()[..8].try_into().unwrap_or_default());
    Header {
        run: journal::new_run_id(now, random),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        project: config.root.display().to_string(),
        script: script.map(|script| script.name.clone()).unwrap_or_default(),
        title: script.and_then(Script::title).unwrap_or_default().to_owned(),
        sources: script.map(|script| script.hashes.clone()).unwrap_or_default(),
        config: config.hash.clone(),
        commit: repository::commit(commit_root(config, &request.folder)),
        user: user.name,
        uid: user.uid,
        host: repository::host(),
        environment: environment.name.clone(),
        cluster_uid: staged.cluster_uid.clone(),
        params: params.clone(),
        platform: staged.name.clone(),
        dry_run: staged.mode == Mode::Rehearse,
        ..Header::default()
    }
}

fn commit_root<'a>(config: &'a Config, folder: &'a Path) -> &'a Path {
    if config.root.as_os_str().is_empty() { folder } else { &config.root }
}
