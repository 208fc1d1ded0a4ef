//! The cluster: whether it is the right one and answers, whether its clock agrees, and what its user may do.

use super::local::Needed;
use super::{Examiner, Health};
use crate::config::Environment;
use crate::model::{Kind, Read, duration};
use crate::platform::clock::{Clock, MachineClock};
use crate::platform::real::Real;
use crate::platform::{Cx, Observe};

/// Clocks that differ by more make timelines that nobody can put together, and logins that fail.
const SKEW_SECONDS: i64 = 5;

/// Whether the cluster answers.
pub(super) fn reached(examiner: &mut Examiner<'_>, real: &Real, environment: &Environment, cx: &Cx<'_>) -> bool {
    let Some(context) = &environment.context else {
        let remedy = format!("add `context = \"…\"` to [environments.{}]; functions about the cluster fail without it", environment.name);
        examiner.warn("cluster", format!("the environment {} names no kubeconfig context", environment.name), remedy);
        return false;
    };
    let info = match real.read(&Read::ClusterInfo, cx) {
        Ok(answer) => answer.value,
        Err(failure) => {
            examiner.fail("cluster", context, &failure);
            return false;
        }
    };
    let part = |key| info.str_at(&[key]).unwrap_or_default();
    examiner.ok("cluster", format!("{context}: {} at {}", part("version"), part("server")));
    match &environment.cluster_uid {
        Some(uid) => examiner.ok("cluster", format!("it is the cluster {uid}, as configured")),
        None => {
            let remedy = format!("add cluster_uid = {:?} to [environments.{}]", part("uid"), environment.name);
            examiner.warn("cluster", "which cluster the context leads to is not checked", remedy);
        }
    }
    skew(examiner, real, cx);
    true
}

fn skew(examiner: &mut Examiner<'_>, real: &Real, cx: &Cx<'_>) {
    let there = match real.server_time(cx) {
        Ok(there) => there,
        Err(failure) => return examiner.fail("cluster", "the cluster's clock", &failure),
    };
    let apart = MachineClock::default().now().as_second() - there.as_second();
    if apart.abs() <= SKEW_SECONDS {
        return examiner.ok("cluster", "its clock and this machine's agree");
    }
    let (here, amount) = (if apart > 0 { "ahead of" } else { "behind" }, std::time::Duration::from_secs(apart.unsigned_abs()));
    examiner.warn(
        "cluster",
        format!("this machine's clock is {} {here} the cluster's", duration::show(amount)),
        "set it by NTP: timelines would not fit together",
    );
}

/// Whether the context's user may do what the scripts need.
pub(super) fn permissions(examiner: &mut Examiner<'_>, real: &Real, needed: Needed, cx: &Cx<'_>) {
    let (all, mut granted) = (needed.len(), 0);
    for (access, scripts) in needed {
        let who = scripts.into_iter().collect::<Vec<_>>().join(", ");
        match real.may(&access, cx) {
            Ok(true) => granted += 1,
            // Without it a change only does not say who else owns the number.
            Ok(false) if access.resource == "horizontalpodautoscalers" => {
                examiner.warn(
                    "permissions",
                    format!("may not {access}"),
                    "without it nobody says that an autoscaler owns a number of replicas",
                );
            }
            Ok(false) => {
                let remedy = format!("grant it to the context's user by a Role or ClusterRole; needed by {who}");
                examiner.say("permissions", Health::Failed, format!("may not {access}"), Some(remedy));
            }
            Err(failure) => {
                examiner.fail("permissions", &access.to_string(), &failure);
                if matches!(failure.kind, Kind::Unavailable | Kind::Timeout | Kind::Auth | Kind::Cancelled) {
                    return;
                }
            }
        }
    }
    if granted > 0 {
        examiner.ok("permissions", format!("{granted} of {all} rights that the scripts need are there"));
    }
}
