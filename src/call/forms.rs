//! The forms in which a secret is met, by what others' programs make of it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::mask::SHORTEST;
use crate::model::text;
use crate::platform::equivalent;

/// Parts of a secret that give it away alone. One of several lines, such as a key, is met line by line in logs; of an
/// address, such as a webhook's, servers repeat the path, and the token in it.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    const TELLING: usize = 16;
    let lines = text.lines().map(str::trim).filter(|line| line.len() >= TELLING);
    let path = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)).and_then(|rest| rest.split_once('/'));
    let path = path.map(|(_, path)| path).filter(|path| path.len() >= TELLING);
    let tokens = path.unwrap_or_default().split(['/', '?', '&', '=', '#']).filter(|token| token.len() >= TELLING);
    lines.chain(path).chain(tokens)
}

/// The forms in which a secret is met: raw, JSON-escaped, URL-encoded, hex, base64 at each of its three alignments.
pub(super) fn forms_of(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![text.to_owned(), hex.to_uppercase(), hex];
    forms.extend(debug_forms(text));
    forms.extend(html_forms(text));
    let json = json_forms(text);
    // JSON within a text of JSON, as in Kubernetes' `last-applied-configuration` within a body.
    forms.extend(json.iter().flat_map(|once| json_forms(once)));
    forms.extend(json);
    forms.extend(url_forms(bytes));
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(bytes));
    }
    // Tools wrap long base64: `base64` and MIME after 76 characters, PEM after 64.
    let encoded = STANDARD.encode(bytes);
    for width in [64, 76] {
        forms.extend(encoded.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    // Within a longer text the secret begins at any of three alignments; the outer characters mix with its neighbours.
    for shift in 0..3usize {
        let mut padded = vec![0u8; shift];
        padded.extend_from_slice(bytes);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            let start = (shift * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            if let Some(inner) = encoded.get(start..end)
                && inner.len() >= SHORTEST
            {
                forms.push(inner.to_owned());
            }
        }
    }
    // Our own lines that say the same by hand quote for a shell, and for SQL, also one within the other.
    let quoted = |forms: &[String], quote: &str| -> Vec<String> {
        forms.iter().filter(|form| form.contains('\'')).map(|form| form.replace('\'', quote)).collect()
    };
    let sql = quoted(&forms, "''");
    let all = [&forms[..], &sql].concat();
    let shell = [r"'\''", r"\'"].map(|quote| quoted(&all, quote)).concat();
    forms.extend(sql.into_iter().chain(shell));
    // Where a word has control characters, and bash's quotes.
    for text in [text.to_owned(), text.replace('\'', "''")] {
        forms.extend(equivalent::word(&text).strip_prefix("$'").and_then(|word| word.strip_suffix('\'')).map(str::to_owned));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// A text as Rust's `{:?}` has it, as our own messages quote it, and that within JSON.
fn debug_forms(text: &str) -> Vec<String> {
    let quoted = format!("{text:?}");
    let inner = quoted.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or_default();
    vec![inner.to_owned(), json_text(inner)]
}

/// A text within HTML, as error pages quote it: as Python, and as Go and JavaScript write the quotes.
fn html_forms(text: &str) -> Vec<String> {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    [("&quot;", "&#x27;"), ("&#34;", "&#39;"), ("&quot;", "&#39;"), ("\"", "'")]
        .map(|(double, single)| plain.replace('"', double).replace('\'', single))
        .to_vec()
}

/// A text within JSON. Writers differ in what they escape beyond what they must: Go `<>&`, PHP `/`, Python all that is not ASCII.
fn json_forms(text: &str) -> Vec<String> {
    let plain = json_text(text);
    // The last is our own, in the lines that say the same by hand.
    let inert = text::inert_json(&plain).into_owned();
    let mut forms = vec![plain, inert];
    let escapes: [fn(char) -> bool; 3] =
        [|c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'), |c| c == '/', |c| !c.is_ascii() || c == '\u{7f}'];
    for escaped in escapes {
        let more: Vec<String> = forms.iter().map(|form| form.chars().map(|c| json_escape(c, escaped)).collect()).collect();
        forms.extend(more);
    }
    forms
}

/// A text within JSON, with no more escapes than it must have.
fn json_text(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn json_escape(c: char, escaped: fn(char) -> bool) -> String {
    match c {
        '/' if escaped(c) => "\\/".to_owned(),
        c if escaped(c) => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        c => c.to_string(),
    }
}

/// A text within a URL or a form. Writers differ in what they leave as it is, and in the case of their hex digits.
pub(super) fn url_forms(bytes: &[u8]) -> Vec<String> {
    // RFC 3986, Java's forms, JavaScript's encodeURIComponent, Python's quote, Go's paths, all that a path may hold.
    const KEPT: [&[u8]; 6] = [b"-_.~", b"-_.*", b"-_.~!*'()", b"-_.~/", b"-_.~$&+:=@", b"-_.~!$&'()*+,;=:@/"];
    let mut forms = Vec::new();
    for kept in KEPT {
        for upper in [true, false] {
            let one = |&byte: &u8| match byte {
                byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => char::from(byte).to_string(),
                byte if upper => format!("%{byte:02X}"),
                byte => format!("%{byte:02x}"),
            };
            let form: String = bytes.iter().map(one).collect();
            forms.push(form.replace("%20", "+"));
            forms.push(form);
        }
    }
    forms
}
