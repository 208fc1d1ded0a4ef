//! Secrets that stand broken over lines: programs wrap what they print. Texts are searched without their line breaks.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr2, memchr3, memmem};

/// What counts as a line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaks {
    /// Line feeds and carriage returns. Taken from a text and from what is looked for in it, they hide nothing.
    Plain,
    /// Those with the blanks before the next line's text.
    Indented,
    /// Both as escapes too (`\n`), as in JSON within a text.
    Escaped,
}

impl Breaks {
    /// The kinds of breaks by which a text is searched, one after another: the plain ones, and those others that it may have.
    pub(super) fn of(text: &str) -> impl Iterator<Item = Breaks> + use<> {
        let bytes = text.as_bytes();
        let indented = [b"\n ", b"\n\t"].iter().any(|indented| memmem::find(bytes, *indented).is_some());
        let escaped = [b"\\n", b"\\r"].iter().any(|escape| memmem::find(bytes, *escape).is_some());
        let others = [indented.then_some(Breaks::Indented), escaped.then_some(Breaks::Escaped)];
        [Breaks::Plain].into_iter().chain(others.into_iter().flatten())
    }

    /// The break at or behind a place of a text.
    fn next(self, text: &[u8], mut from: usize) -> Option<Range<usize>> {
        loop {
            let rest = text.get(from..)?;
            let found = match self {
                Breaks::Plain | Breaks::Indented => memchr2(b'\n', b'\r', rest),
                Breaks::Escaped => memchr3(b'\n', b'\r', b'\\', rest),
            };
            let start = from + found?;
            let mut end = start;
            while let length @ 1.. = self.length(&text[end..], end > start) {
                end += length;
            }
            if end > start {
                return Some(start..end);
            }
            // A backslash of something else.
            from = start + 1;
        }
    }

    /// How many bytes of a break a text begins with; blanks belong to one that has begun.
    fn length(self, text: &[u8], begun: bool) -> usize {
        match (text, self) {
            ([b'\n' | b'\r', ..], _) => 1,
            ([b' ' | b'\t', ..], Breaks::Indented | Breaks::Escaped) if begun => 1,
            ([b'\\', b'n' | b'r', ..], Breaks::Escaped) => 2,
            _ => 0,
        }
    }

    fn all(self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = self.next(text.as_bytes(), from)?;
            from = found.end;
            Some(found)
        })
    }

    /// A text without its breaks.
    pub(super) fn removed(self, text: &str) -> Cow<'_, str> {
        let mut breaks = self.all(text).peekable();
        if breaks.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let mut without = String::with_capacity(text.len());
        let mut from = 0;
        for found in breaks {
            without.push_str(&text[from..found.start]);
            from = found.end;
        }
        without.push_str(&text[from..]);
        Cow::Owned(without)
    }

    /// Where in a text those ranges are that were found in it without its breaks; in order, as they come.
    pub(super) fn restored(self, text: &str, found: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let mut breaks = self.all(text).peekable();
        let mut removed = 0;
        let mut place = |without: usize| {
            while let Some(before) = breaks.next_if(|before| before.start <= without + removed) {
                removed += before.len();
            }
            without + removed
        };
        let whole = |range: Range<usize>| place(range.start)..place(range.end.saturating_sub(1)) + 1;
        found.into_iter().filter(|range| !range.is_empty()).map(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn breaks_are_told_from_what_looks_like_them() {
        let removed = |breaks: Breaks, text: &str| breaks.removed(text).into_owned();
        assert_eq!(removed(Breaks::Plain, "a\r\nb\n c\\nd"), "ab c\\nd");
        assert_eq!(removed(Breaks::Indented, "a\r\n\n\t b c\\r\\n  d"), "ab c\\r\\n  d");
        assert_eq!(removed(Breaks::Escaped, "a\r\n\n\t b c\\r\\n  d\\x\\"), "ab cd\\x\\");
        assert!(matches!(Breaks::Escaped.removed("a b\\t"), Cow::Borrowed(_)));
        let of = |text: &str| Breaks::of(text).collect::<Vec<_>>();
        assert_eq!(of("a b\nc\r\nd\\"), [Breaks::Plain]);
        assert_eq!(of("a\n\tb"), [Breaks::Plain, Breaks::Indented]);
        assert_eq!(of("a\n b\\rc"), [Breaks::Plain, Breaks::Indented, Breaks::Escaped]);
    }

    proptest! {
        #[test]
        fn what_is_found_without_breaks_stands_in_the_text(text in "[ab\\\\nr\n\r \t]{0,24}", from in 0usize..24, length in 1usize..8) {
            for breaks in [Breaks::Plain, Breaks::Indented, Breaks::Escaped] {
                let without = breaks.removed(&text);
                let range = from..from + length;
                let Some(sought) = without.get(range.clone()) else { continue };
                let places = breaks.restored(&text, vec![range]);
                let there = &text[places[0].clone()];
                // It begins and ends with what was found. Around others, once they are taken out, new ones may stand.
                prop_assert_eq!(&there[..1], &sought[..1]);
                prop_assert_eq!(&there[there.len() - 1..], &sought[sought.len() - 1..]);
                if breaks == Breaks::Plain {
                    prop_assert_eq!(breaks.removed(there), sought);
                }
            }
        }
    }
}
