//! How services and databases are reached, and whether the context's user may reach them so.

use super::{Examiner, Health};
use crate::config::{Environment, Reach};
use crate::platform::Cx;
use crate::platform::real::Real;
use crate::platform::real::survey::Way;

/// Says of each service and database whether it is asked at its own address or through a port-forward.
pub(super) fn examined(examiner: &mut Examiner<'_>, real: &Real, environment: &Environment, cx: &Cx<'_>) {
    let services = environment.services.iter().filter_map(|(name, service)| Some((name, service.url.as_deref()?)));
    let databases = environment.databases.iter().map(|(name, database)| (name, database.url.as_str()));
    let hosts: Vec<(&String, String)> = services.chain(databases).filter_map(|(name, url)| Some((name, host(url)?))).collect();
    if hosts.is_empty() {
        return;
    }
    if environment.reach == Reach::Direct {
        return examiner.ok("reach", "services and databases are asked at their own addresses");
    }
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for (name, host) in hosts {
        match real.way_to(&host, cx) {
            Ok(Way::PortForward) => inside.push(name.as_str()),
            Ok(Way::Direct) => outside.push(name.as_str()),
            Err(failure) => return examiner.fail("reach", name, &failure),
        }
    }
    for (names, how) in [(&inside, "through port-forwards"), (&outside, "at their own addresses, which are not the cluster's")] {
        if !names.is_empty() {
            examiner.ok("reach", format!("{how}: {}", names.join(", ")));
        }
    }
    if inside.is_empty() {
        return;
    }
    let (mut granted, rights) = (0, real.rights_of_tunnels());
    for access in &rights {
        match real.may(access, cx) {
            Ok(true) => granted += 1,
            Ok(false) => {
                let remedy = "grant it to the context's user by a Role or ClusterRole: without it nothing behind a Service can be asked";
                examiner.say("reach", Health::Failed, format!("may not {access}"), Some(remedy.to_owned()));
            }
            Err(failure) => examiner.fail("reach", &access.to_string(), &failure),
        }
    }
    if granted == rights.len() {
        examiner.ok("reach", format!("may create and get pods/portforward -n {}", environment.namespace));
    }
}

/// The first host of a URL.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place).split(',').next()?;
    let host = if place.starts_with('[') { place.split_inclusive(']').next()? } else { place.split(':').next()? };
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_host_is_found() {
        for (url, expected) in [
            ("http://api:8080/x", Some("api")),
            ("postgres://ops@db-1:5432,db-2:5432/x?sslmode=require", Some("db-1")),
            ("redis://[::1]:6379", Some("[::1]")),
            ("", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
