//! The prompt: where a change would happen, and whether it would be real.

use std::time::Duration;

use crate::run::repl::Place;

/// `prod! > `, `prod (dry-run) > `, `world:outage 00:12 > `; plain, and with colours where there may be some.
pub(super) fn of(place: &Place, colour: bool) -> (String, String) {
    let mark = if place.guarded { "!" } else { "" };
    let name = format!("{}{mark}", place.name);
    let mode = if place.dry_run { " (dry-run)" } else { "" };
    let time = place.world_time.map(|time| format!(" {}", clock(time))).unwrap_or_default();
    let lost = if place.lost { " (no record)" } else { "" };
    let plain = format!("{name}{mode}{time}{lost} > ");
    if !colour {
        return (plain.clone(), plain);
    }
    let code = match place {
        Place { lost: true, .. } | Place { guarded: true, .. } => "1;31",
        Place { dry_run: true, .. } => "33",
        Place { world_time: Some(_), .. } => "36",
        _ => "1",
    };
    let styled = format!("\x1b[{code}m{name}{mode}\x1b[0m\x1b[2m{time}\x1b[0m\x1b[1;31m{lost}\x1b[0m > ");
    (plain, styled)
}

/// Minutes and seconds, with hours where there are some.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_place_and_whether_changes_are_real() {
        let place = |name: &str| Place { name: name.into(), guarded: false, dry_run: false, world_time: None, lost: false };
        let shown = |place: &Place| of(place, false).0;
        assert_eq!(shown(&Place { guarded: true, ..place("prod") }), "prod! > ");
        assert_eq!(shown(&place("staging")), "staging > ");
        assert_eq!(shown(&Place { dry_run: true, ..place("prod") }), "prod (dry-run) > ");
        let world = |seconds| Place { world_time: Some(Duration::from_secs(seconds)), ..place("world:outage") };
        assert_eq!(shown(&world(12)), "world:outage 00:12 > ");
        assert_eq!(shown(&world(3 * 3600 + 61)), "world:outage 3:01:01 > ");
        assert_eq!(shown(&Place { lost: true, ..place("prod") }), "prod (no record) > ");
    }

    #[test]
    fn colours_add_nothing_to_its_width() {
        let place = Place { name: "prod".into(), guarded: true, dry_run: false, world_time: None, lost: false };
        let (plain, styled) = of(&place, true);
        assert!(styled.contains("\x1b[1;31mprod!"));
        let mut bare = styled;
        while let Some(start) = bare.find('\x1b') {
            let end = start + bare[start..].find('m').unwrap();
            bare.replace_range(start..=end, "");
        }
        assert_eq!(bare, plain);
    }
}
