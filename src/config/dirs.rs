//! Where the operator's own files are, outside every repository.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use super::Config;
use crate::model::{Failure, Kind};

/// The operator's folders of this tool. They are passed on, so that tests never meet the machine's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirs {
    /// Holds `config.toml`: `$XDG_CONFIG_HOME/runbook`, else `~/.config/runbook`.
    pub config: PathBuf,
    /// Holds `trust.json` and by default the journal: `$XDG_STATE_HOME/runbook`, else `~/.local/state/runbook`.
    pub state: PathBuf,
}

impl Dirs {
    /// The folders as the environment and the home folder say; `failed` where there is no home folder.
    pub fn from_env() -> Result<Dirs, Failure> {
        let nowhere = || Failure::new(Kind::Failed, "the home folder is unknown").hint("set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME");
        let xdg = etcetera::base_strategy::Xdg::new().map_err(|_| nowhere())?;
        Ok(Dirs { config: xdg.config_dir().join("runbook"), state: xdg.state_dir().ok_or_else(nowhere)?.join("runbook") })
    }
}

impl Config {
    /// Where journals go when no flag says otherwise: the operator's folder, never one of the project's choice.
    pub fn journal_folder(&self) -> PathBuf {
        self.operator.journal.clone().unwrap_or_else(|| self.dirs.state.join("journal"))
    }
}
