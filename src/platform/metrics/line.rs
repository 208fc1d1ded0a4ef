//! One line of an exposition.

use std::borrow::Cow;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Nothing, or a comment.
    Nothing,
    /// What a family is for.
    Help(&'a str, String),
    /// What a family is.
    Type(&'a str, &'a str),
    /// A sample.
    Sample(Sample<'a>),
    /// The end.
    Eof,
}

/// One sample.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
}

const TYPES: [&str; 9] = ["counter", "gauge", "histogram", "summary", "untyped", "unknown", "gaugehistogram", "info", "stateset"];

/// The classic name that a sample's line begins with; none on other lines.
pub(super) fn name(line: &str) -> Option<&str> {
    let end = line.bytes().position(|byte| matches!(byte, b'{' | b' ' | b'\t'))?;
    Some(&line[..end]).filter(|name| is_name(name, true))
}

/// Reads a line without its end; the error is what is wrong with it.
pub(super) fn parse(line: &str, open_metrics: bool) -> Result<Line<'_>, String> {
    let text = line.trim_matches([' ', '\t']);
    match text.strip_prefix('#') {
        _ if text.is_empty() => Ok(Line::Nothing),
        Some(comment) => about(comment),
        None => sample(text, open_metrics).map(Line::Sample),
    }
}

fn about(comment: &str) -> Result<Line<'_>, String> {
    let comment = comment.trim_start_matches([' ', '\t']);
    let (word, rest) = comment.split_once([' ', '\t']).unwrap_or((comment, ""));
    let rest = rest.trim_start_matches([' ', '\t']);
    let (name, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let name = || {
        // A name beyond the classic letters stands in quotes.
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        if bare.is_empty() { Err(format!("`# {word}` names no metric")) } else { Ok(bare) }
    };
    match word {
        "EOF" => Ok(Line::Eof),
        "HELP" => Ok(Line::Help(name()?, unescaped(rest)?.into_owned())),
        "TYPE" => {
            let kind = rest.trim();
            match TYPES.iter().find(|known| **known == kind) {
                Some(known) => Ok(Line::Type(name()?, known)),
                None => Err("`# TYPE` names no known type".to_owned()),
            }
        }
        _ => Ok(Line::Nothing),
    }
}

/// A text whose `\\`, `\"` and `\n` are what they stand for.
fn unescaped(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('\\') {
        return Ok(text.into());
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(c @ ('\\' | '"'))) => out.push(c),
            ('\\', other) => return Err(format!("`\\{}` is no escape", other.map(String::from).unwrap_or_default())),
            (c, _) => out.push(c),
        }
    }
    Ok(out.into())
}

fn is_name(text: &str, colons: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colons && c == ':');
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn sample(text: &str, open_metrics: bool) -> Result<Sample<'_>, String> {
    let end = text.find(['{', ' ', '\t']).ok_or("it has no value")?;
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t']);
    let (quoted, labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest, Name::Wanted)?,
        None => (None, Vec::new(), rest),
    };
    let name: Cow<'_, str> = match (name, quoted) {
        ("", Some(quoted)) => quoted,
        ("", None) => return Err("it names no metric".to_owned()),
        (_, Some(_)) => return Err("it has two names".to_owned()),
        (name, None) if is_name(name, true) => name.into(),
        (_, None) => return Err("it does not begin with a metric's name".to_owned()),
    };
    let (own, exemplar) = match rest.find('#') {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let mut words = own.split_ascii_whitespace();
    let value = number(words.next().ok_or("it has no value")?)?;
    let timestamp_ms = words.next().map(|word| timestamp(word, open_metrics)).transpose()?;
    if let Some(more) = words.next() {
        return Err(format!("{more:?} stands behind its timestamp"));
    }
    if let Some(exemplar) = exemplar {
        self::exemplar(exemplar.trim_start_matches([' ', '\t']))?;
    }
    Ok(Sample { name, labels, value, timestamp_ms })
}

/// Whether a metric's name may stand among its labels.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    Wanted,
    No,
}

type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The labels after the opening brace, the metric's name among them if it stands there, and what follows.
fn labels(mut rest: &str, name: Name) -> Result<(Option<Cow<'_, str>>, Labels<'_>, &str), String> {
    let (mut quoted_name, mut labels) = (None, Labels::new());
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((quoted_name, labels, rest));
        }
        let label: Cow<'_, str>;
        let is_quoted = rest.starts_with('"');
        if is_quoted {
            (label, rest) = quoted(rest)?;
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            if !is_name(&rest[..end], false) {
                return Err("its labels hold what is no label's name".to_owned());
            }
            (label, rest) = (rest[..end].into(), &rest[end..]);
        }
        rest = rest.trim_start_matches([' ', '\t']);
        match rest.strip_prefix('=') {
            Some(after) => {
                let value;
                (value, rest) = quoted(after.trim_start_matches([' ', '\t']))?;
                if labels.iter().any(|(known, _)| *known == label) {
                    return Err(format!("the label {label:?} stands there twice"));
                }
                labels.push((label, value));
            }
            None if is_quoted && name == Name::Wanted && quoted_name.is_none() && labels.is_empty() => quoted_name = Some(label),
            None => return Err("a label has no `=`".to_owned()),
        }
        rest = rest.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err("its labels are not closed by `}`".to_owned()),
        }
    }
}

/// A quoted text, and what follows.
fn quoted(text: &str) -> Result<(Cow<'_, str>, &str), String> {
    let inner = text.strip_prefix('"').ok_or("a label's value is not in quotes")?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Ok((unescaped(&inner[..at])?, &inner[at + 1..])),
            _ => {}
        }
    }
    Err("a quote is not closed".to_owned())
}

fn number(word: &str) -> Result<f64, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

/// Milliseconds since 1970: Prometheus writes them so, OpenMetrics in seconds.
fn timestamp(word: &str, open_metrics: bool) -> Result<i64, String> {
    let wrong = || format!("{word:?} is no timestamp");
    if !open_metrics {
        return word.parse().map_err(|_| wrong());
    }
    let seconds: f64 = word.parse().map_err(|_| wrong())?;
    // What is beyond 2^53 is no time of a metric, and no exact number either.
    if seconds.is_finite() && seconds.abs() < 9e12 { Ok((seconds * 1e3).round() as i64) } else { Err(wrong()) }
}

/// An exemplar, which nobody asked for: `{trace_id="x"} 0.5 123`.
fn exemplar(text: &str) -> Result<(), String> {
    let wrong = |why: String| format!("its exemplar: {why}");
    let inner = text.strip_prefix('{').ok_or_else(|| wrong("it does not begin with labels".to_owned()))?;
    let (_, _, rest) = labels(inner, Name::No).map_err(wrong)?;
    let mut words = rest.split_ascii_whitespace();
    number(words.next().unwrap_or_default()).map_err(wrong)?;
    words.next().map(|word| timestamp(word, true)).transpose().map_err(wrong)?;
    match words.next() {
        Some(more) => Err(wrong(format!("{more:?} stands behind it"))),
        None => Ok(()),
    }
}
