//! Text as Slack wants it.

/// The most characters that Slack shows of a section.
const SLACK_CHARACTERS: usize = 3_000;
/// What a text ends in that was cut.
const CUT: &str = "… (cut)";

/// A text for Slack: its control characters escaped, so that quoted output can mention nobody; cut, visibly, where Slack would.
pub fn text(text: &str) -> String {
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
