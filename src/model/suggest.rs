//! "Did you mean": the nearest right name for an unknown one.

/// The known name nearest to this one, if one is near enough to be a slip.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(name.len()) / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The hint for an unknown name: the nearest one, else a short list of the known ones.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const SHOWN: usize = 12;
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known.len() {
        0 => None,
        n if n <= SHOWN => Some(format!("known: {}", known.join(", "))),
        n => Some(format!("known: {}, … {} more", known[..SHOWN].join(", "), n - SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_listed() {
        assert_eq!(nearest("scael", ["scale", "show"]), Some("scale"));
        assert_eq!(nearest("Replicas", ["replicas"]), Some("replicas"));
        assert_eq!(nearest("zebra", ["scale", "show"]), None);
        assert_eq!(hint("zebra", ["scale", "show"]).as_deref(), Some("known: scale, show"));
        assert_eq!(hint("zebra", []), None);
    }
}
