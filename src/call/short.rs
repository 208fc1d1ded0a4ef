//! Secrets of ordinary length: few forms by SIMD, many by an automaton, which takes the same time however many they are.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind, Span, packed};

/// A packed searcher takes no more forms than these (Teddy's limit).
const GROUP: usize = 64;

/// With more passes over a text than these, the automaton is as fast.
const MOST_GROUPS: usize = 4;

/// Finds forms, the longest at each place.
pub(super) enum Short {
    Packed(Vec<packed::Searcher>),
    Automaton(AhoCorasick),
}

impl Short {
    /// A searcher for forms, none of them empty. Fails where an automaton of them would be too large.
    pub(super) fn new(forms: &BTreeSet<String>) -> Result<Self, BuildError> {
        let all: Vec<&String> = forms.iter().collect();
        let packed =
            |group: &[&String]| packed::Config::new().match_kind(packed::MatchKind::LeftmostLongest).builder().extend(group).build();
        if all.len() <= GROUP * MOST_GROUPS
            && let Some(searchers) = all.chunks(GROUP).map(packed).collect()
        {
            return Ok(Self::Packed(searchers));
        }
        AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(all).map(Self::Automaton)
    }

    /// Whether a form stands in a text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Packed(searchers) => searchers.iter().any(|searcher| searcher.find(text).is_some()),
            Self::Automaton(automaton) => automaton.is_match(text),
        }
    }

    /// Where forms stand in a text, in order; those that overlap are one.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        match self {
            Self::Packed(searchers) => {
                for searcher in searchers {
                    all(text, &mut found, |span| searcher.find_in(text, span).map(|found| found.range()));
                }
            }
            Self::Automaton(automaton) => {
                all(text, &mut found, |span| automaton.find(Input::new(text).span(span)).map(|found| found.range()));
            }
        }
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, last| joined(last, next));
        found
    }
}

/// Adds all that a search finds in a text, also what begins within something found.
fn all(text: &str, found: &mut Vec<Range<usize>>, search: impl Fn(Span) -> Option<Range<usize>>) {
    let mut from = 0;
    while let Some(next) = search(Span { start: from, end: text.len() }) {
        from = next.start + 1;
        if !found.last_mut().is_some_and(|last| joined(last, &next)) {
            found.push(next);
        }
    }
}

/// Whether a range that begins later overlaps another, which then is both.
pub(super) fn joined(last: &mut Range<usize>, next: &Range<usize>) -> bool {
    let overlaps = last.start <= next.start && next.start < last.end;
    last.end = if overlaps { last.end.max(next.end) } else { last.end };
    overlaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_found_however_many_there_are() {
        for count in [1, GROUP, GROUP + 1, GROUP * MOST_GROUPS, GROUP * MOST_GROUPS + 1] {
            let forms: BTreeSet<String> = (0..count).map(|number| format!("form-{number:04}")).collect();
            let short = Short::new(&forms).unwrap();
            assert_eq!(matches!(short, Short::Automaton(_)), count > GROUP * MOST_GROUPS);
            for form in &forms {
                for lead in ["", "form-", &"x".repeat(100)] {
                    let text = format!("{lead}{form}{}", "form-12".repeat(9));
                    assert!(short.is_match(&text));
                    let found: Vec<&str> = short.find(&text).into_iter().map(|range| &text[range]).collect();
                    assert_eq!(found, [form], "{count}: {text}");
                }
            }
            let chain: BTreeSet<String> =
                forms.iter().cloned().chain(["0123456789", "89abcdefgh", "ghijklmnop"].map(str::to_owned)).collect();
            assert_eq!(Short::new(&chain).unwrap().find("x0123456789abcdefghijklmnopx"), [Range { start: 1, end: 27 }], "{count}");
            let last = forms.last().unwrap();
            assert_eq!(short.find(&format!("{last} form-0000 {last}")).len(), 3, "in order");
            assert!(!short.is_match(&"form-".repeat(99)));
        }
    }
}
