//! Choosing the environment.

use super::{Config, Environment};
use crate::model::Failure;

impl Config {
    /// The environment for real systems: the one named by `--env` or `RUNBOOK_ENV`, else the only one. Nothing is guessed.
    pub fn environment(&self, name: Option<&str>) -> Result<Environment, Failure> {
        let environment = match name.filter(|name| !name.is_empty()) {
            Some(name) => self.named(name)?,
            None => match (self.environments.len(), self.environments.values().next()) {
                (1, Some(only)) => only,
                (0, _) => return Err(Failure::bad_argument("no environment is configured").hint(self.how_to_add("prod"))),
                _ => {
                    let names: Vec<&str> = self.environments.keys().map(String::as_str).collect();
                    return Err(Failure::bad_argument("several environments are configured, and none was chosen")
                        .hint(format!("--env NAME or RUNBOOK_ENV=NAME, one of: {}", names.join(", "))));
                }
            },
        };
        Ok(environment.clone())
    }

    /// The environment that a world stands for: the named one, else the only one, else the first by name.
    /// Without any the services stand alone, in an unprotected environment of that name or `world`.
    pub fn world_environment(&self, name: Option<&str>) -> Result<Environment, Failure> {
        let name = name.filter(|name| !name.is_empty());
        match (name, self.environments.values().next()) {
            (Some(name), Some(_)) => self.named(name).cloned(),
            (None, Some(first)) => Ok(first.clone()),
            (name, None) => Ok(Environment {
                name: name.unwrap_or("world").to_owned(),
                namespace: "default".to_owned(),
                services: self.services.clone(),
                ..Environment::default()
            }),
        }
    }

    fn named(&self, name: &str) -> Result<&Environment, Failure> {
        self.environments.get(name).ok_or_else(|| {
            let mut failure = Failure::unknown("environment", name, self.environments.keys().map(String::as_str));
            failure.hint.get_or_insert_with(|| self.how_to_add(name));
            failure
        })
    }

    fn how_to_add(&self, name: &str) -> String {
        match &self.file {
            Some(file) => format!("add [environments.{name}] to {}", file.display()),
            None => format!("write a {} with [environments.{name}] at the project's root, {}", super::FILE_NAME, self.root.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let mut config = Config::default();
        config.parse("runbook.toml", text).unwrap();
        config
    }

    #[test]
    fn real_systems_are_named_unless_there_is_one() {
        let two = config("[environments.prod]\n[environments.staging]\nprotected = false");
        assert_eq!(two.environment(Some("staging")).unwrap().name, "staging");
        let failure = two.environment(None).unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("--env NAME or RUNBOOK_ENV=NAME, one of: prod, staging"));
        assert_eq!(two.environment(Some("")).unwrap_err(), failure);
        assert_eq!(two.environment(Some("prd")).unwrap_err().hint.as_deref(), Some("did you mean `prod`?"));
        assert_eq!(config("[environments.prod]").environment(None).unwrap().name, "prod");
        assert_eq!(config("").environment(None).unwrap_err().message, "no environment is configured");
    }

    #[test]
    fn worlds_take_the_first_and_never_an_unknown_one() {
        let two = config("[services.api]\n[environments.prod]\n[environments.staging]");
        assert_eq!(two.world_environment(None).unwrap().name, "prod");
        assert_eq!(two.world_environment(Some("staging")).unwrap().name, "staging");
        assert_eq!(two.world_environment(Some("stagin")).unwrap_err().hint.as_deref(), Some("did you mean `staging`?"));
        let none = config("[services.api]").world_environment(None).unwrap();
        assert_eq!((none.name.as_str(), none.namespace.as_str(), none.protected, none.services.len()), ("world", "default", false, 1));
    }
}
