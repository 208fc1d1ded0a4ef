//! Long secrets, such as the files that Kubernetes secrets hold. An automaton of all their forms would take gigabytes; here
//! they are kept once, in order, and what agrees with the beginning of one is found by a search.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// What agrees with a form that far is part of it, and masked as far as it agrees; a shorter form must stand there whole.
const TELLING: usize = 64;

/// The bytes that the filter looks at; no form is shorter.
const KEY: usize = super::mask::SHORTEST;

/// The forms of long secrets.
pub(super) struct Index {
    forms: Vec<Arc<str>>,
    /// A bit for each form, by its first bytes: most places of a text need no search.
    filter: Vec<u64>,
}

impl Index {
    pub(super) fn new(forms: &BTreeSet<Arc<str>>) -> Self {
        let bits = (forms.len() * 16).next_power_of_two().max(64);
        let mut index = Self { forms: forms.iter().cloned().collect(), filter: vec![0; bits / 64] };
        for form in forms {
            if let Some((word, bit)) = index.place(form.as_bytes()) {
                index.filter[word] |= bit;
            }
        }
        index
    }

    fn place(&self, bytes: &[u8]) -> Option<(usize, u64)> {
        let key = u64::from_le_bytes(bytes.get(..KEY)?.try_into().ok()?);
        // Fibonacci hashing: the upper bits are the mixed ones.
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let bit = usize::try_from(hash).unwrap_or(0) % (self.filter.len() * 64);
        Some((bit / 64, 1 << (bit % 64)))
    }

    /// How many bytes at the beginning of a text are to be masked.
    fn length(&self, text: &[u8]) -> usize {
        if self.place(text).is_none_or(|(word, bit)| self.filter[word] & bit == 0) {
            return 0;
        }
        // The forms that agree longest stand next to where the text would stand.
        let next = self.forms.partition_point(|form| form.as_bytes() <= text);
        let near = self.forms[next.saturating_sub(1)..].iter().take(2).map(|form| (form.len(), agreed(form, text)));
        let most = near.filter(|(len, agreed)| *agreed >= TELLING.min(*len)).map(|(_, agreed)| agreed).max();
        if let Some(most) = most {
            return most;
        }
        // A form that stands there whole may stand before others that begin like it.
        let (mut known, mut next) = (text, next);
        while let Some(form) = next.checked_sub(1).and_then(|before| self.forms.get(before)) {
            match agreed(form, known) {
                whole if whole == form.len() => return whole,
                short if short < KEY => return 0,
                part => known = &known[..part],
            }
            next = self.forms.partition_point(|form| form.as_bytes() <= known);
        }
        0
    }

    /// Where secrets stand in a text.
    pub(super) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at + KEY <= text.len() {
                match self.length(&text.as_bytes()[at..]) {
                    0 => at += 1,
                    length => {
                        let found = at..text.floor_char_boundary(at + length);
                        at = found.end;
                        return Some(found);
                    }
                }
            }
            None
        })
    }
}

fn agreed(form: &str, text: &[u8]) -> usize {
    form.bytes().zip(text).take_while(|(a, b)| a == *b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_is_found_as_far_as_it_agrees() {
        let long = "0123456789ä".repeat(40);
        let forms = ["abcdefgh", "abcdefgh0", "abcdefghijkl", "abcdefghz", "zzzzzzzzz", long.as_str()];
        let index = Index::new(&forms.map(Arc::from).into());
        let found = |text: &str| index.find(text).map(|range| text[range].to_owned()).collect::<Vec<_>>();
        assert_eq!(found("abcdefgh"), ["abcdefgh"]);
        assert_eq!(found("xabcdefghijkm abcdefghijkl! abcdefg"), ["abcdefgh", "abcdefghijkl"]);
        assert_eq!(found(&format!("{long} ")), [long.as_str()]);
        assert_eq!(found(&format!("<{}>", &long[..96])), [&long[..96]]);
        assert_eq!(found(&long[..60]), Vec::<String>::new());
        // Cut within a character.
        assert_eq!(found(&format!("{}ö", &long[..94])), [&long[..94]]);
        assert_eq!(Index::new(&BTreeSet::new()).find("abcdefgh").count(), 0);
    }
}
