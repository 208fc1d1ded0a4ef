//! Asking the person who runs this: given beforehand, or at the terminal; who it was is on record.

use crate::call::Cx;
use crate::call::ui::Question;
use crate::config::repository;
use crate::model::{Failure, Kind, text};

/// So many answers that do not fit are taken before it is given up.
const PATIENCE: usize = 100;

/// A question of a script, on one line.
pub(super) fn question(cx: &Cx<'_>, text: &str, details: &[&str], choices: String) -> Question {
    Question {
        environment: cx.environment().name.clone(),
        text: text::one_line(&cx.masked(text.to_owned())).into_owned(),
        details: details.iter().map(|line| cx.masked((*line).to_owned())).collect(),
        choices: cx.masked(choices),
    }
}

/// An answer that fits, and by whom. One given by `--answer` that does not fit is an error; a person is asked again.
pub(super) fn answered<T>(
    cx: &Cx<'_>,
    id: &str,
    mut question: Question,
    example: &str,
    fits: impl Fn(&str) -> Result<T, Failure>,
) -> Result<(T, String), Failure> {
    let operator = operator();
    if let Some(given) = cx.given_answer(id) {
        let answer = fits(given.trim()).map_err(|failure| Failure { message: format!("--answer {id}: {}", failure.message), ..failure })?;
        return Ok((answer, format!("{operator} by --answer")));
    }
    let details = question.details.len();
    for _ in 0..PATIENCE {
        let Some(said) = cx.ui().ask(&question) else { break };
        match fits(said.trim()) {
            Ok(answer) => return Ok((answer, operator)),
            Err(failure) => {
                question.details.truncate(details);
                let told = failure.hint.map_or(failure.message.clone(), |hint| format!("{}; {hint}", failure.message));
                question.details.push(cx.masked(told));
            }
        }
    }
    Err(Failure::new(Kind::NotConfirmed, format!("nobody is there to answer {id:?}: {}", question.text))
        .hint(format!("run on a terminal, or pass --answer {id}={example}")))
}

/// Who runs this: the login name and the machine.
fn operator() -> String {
    let user = repository::user();
    let name = if user.name.is_empty() { format!("uid {}", user.uid) } else { user.name };
    format!("{name}@{}", repository::host())
}

/// Whether a word says yes, or no.
pub(super) fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}
