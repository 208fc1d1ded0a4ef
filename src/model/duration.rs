//! Durations as people write them: `"30s"`, `"1m30s"`, `"250ms"`, `"2h"`.

use std::time::Duration;

use super::Failure;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Parses a duration such as `"1m30s"`; a bare number is refused, since nobody knows its unit.
pub fn parse(text: &str) -> Result<Duration, Failure> {
    let wrong = || {
        Failure::bad_argument(format!("{text:?} is not a duration"))
            .hint("write a number with its unit: \"250ms\", \"30s\", \"5m\", \"1m30s\", \"2h\", \"1d\"")
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| starts_with_unit(rest, unit)).ok_or_else(wrong)?;
        millis = number.checked_mul(factor).and_then(|part| millis.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[unit.len()..];
    }
    Ok(Duration::from_millis(millis))
}

fn starts_with_unit(rest: &str, unit: &str) -> bool {
    rest.strip_prefix(unit).is_some_and(|after| after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()))
}

/// Writes a duration as a person would: `250ms`, `4.2s`, `1m30s`, `2h5m`.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis() as u64;
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..10_000 if !millis.is_multiple_of(1_000) => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        1_000..60_000 => format!("{}s", millis / 1_000),
        60_000..3_600_000 => join(millis / 60_000, "m", millis / 1_000 % 60, "s"),
        _ => join(millis / 3_600_000, "h", millis / 60_000 % 60, "m"),
    }
}

fn join(major: u64, major_unit: &str, minor: u64, minor_unit: &str) -> String {
    if minor == 0 { format!("{major}{major_unit}") } else { format!("{major}{major_unit}{minor}{minor_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_people_write() {
        for (text, millis) in [("250ms", 250), ("30s", 30_000), ("1m30s", 90_000), ("2h", 7_200_000), ("1d", 86_400_000), (" 5m ", 300_000)]
        {
            assert_eq!(parse(text).unwrap().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for text in ["", "30", "s", "5 m", "-5s", "1.5s", "5x", "99999999999999999999s", "999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shows_as_people_read() {
        for (millis, text) in
            [(0, "0ms"), (999, "999ms"), (4_250, "4.2s"), (5_000, "5s"), (42_900, "42s"), (90_000, "1m30s"), (7_500_000, "2h5m")]
        {
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
    }
}
