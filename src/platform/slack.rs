//! Text as Slack wants it.

use crate::model::Value;
use crate::model::operation::Message;

/// The most characters that Slack shows of a section.
const SLACK_CHARACTERS: usize = 3_000;
/// What a text ends in that was cut.
const CUT: &str = "… (cut)";

/// A message as Slack shows it: its severity first, its fields as lines behind the text.
pub fn message(message: &Message) -> String {
    let severity = message.severity.iter().map(|severity| format!("[{severity}] "));
    let fields = message.fields.as_map().into_iter().flatten().map(|(key, value)| match value {
        Value::Str(value) => format!("\n{key}: {value}"),
        value => format!("\n{key}: {value}"),
    });
    text(&severity.chain([message.text.clone()]).chain(fields).collect::<String>())
}

/// A text for Slack: its control characters escaped, so that quoted output can mention nobody; cut, visibly, where Slack would.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut room = SLACK_CHARACTERS;
    let mut whole = true;
    for c in text.chars() {
        let escaped = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let size = escaped.len().max(1);
        if size > room {
            whole = false;
            break;
        }
        room -= size;
        if escaped.is_empty() { out.push(c) } else { out.push_str(escaped) }
    }
    if !whole {
        let keep = SLACK_CHARACTERS - CUT.chars().count();
        let end = out.char_indices().nth(keep).map_or(out.len(), |(at, _)| at);
        out.truncate(end);
        // Not in the middle of an escape.
        if let Some(at) = out.rfind('&').filter(|at| !out[*at..].contains(';')) {
            out.truncate(at);
        }
        out.push_str(CUT);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_severity_and_fields() {
        let message = |severity: Option<&str>, fields: Value| {
            let timeout = std::time::Duration::ZERO;
            let (channel, key) = ("c".into(), String::new());
            super::message(&Message { channel, text: "a & b".into(), severity: severity.map(str::to_owned), fields, key, timeout })
        };
        assert_eq!(message(None, Value::Null), "a &amp; b");
        let fields = crate::map! { "pods" => 3, "service" => "<api>" };
        assert_eq!(message(Some("P1"), fields), "[P1] a &amp; b\npods: 3\nservice: &lt;api&gt;");
    }

    #[test]
    fn a_slack_text_is_escaped_and_cut_visibly() {
        assert_eq!(text("a <!channel> & b"), "a &lt;!channel&gt; &amp; b");
        let exact = "é".repeat(3_000);
        assert_eq!(text(&exact), exact);
        let cut = text(&"é".repeat(3_001));
        assert_eq!((cut.chars().count(), cut.ends_with("… (cut)")), (3_000, true));
        let escaped = text(&"<".repeat(2_000));
        assert!(escaped.chars().count() <= 3_000 && escaped.trim_end_matches("… (cut)").ends_with("&lt;"));
    }
}
