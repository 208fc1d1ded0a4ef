//! The host functions, one file each. No Rhai in here: bodies see arguments, reads and the configuration.

pub mod configuration;
pub mod data;
pub mod flow;
pub mod http;
pub mod incident;
pub mod machine;
pub mod nodes;
pub mod people;
pub mod programs;
pub mod saves;
pub mod targets;
pub mod values;
pub mod workloads;

use crate::call::Function;

/// Every host function, in the order of the reference: by group, then by name.
pub static FUNCTIONS: &[&Function] = &[
    &workloads::annotate::ANNOTATE,
    &workloads::delete::DELETE,
    &workloads::describe::DESCRIBE,
    &workloads::events::EVENTS,
    &workloads::exec::EXEC,
    &workloads::get::GET,
    &workloads::label::LABEL,
    &workloads::logs::LOGS,
    &workloads::patch::PATCH,
    &workloads::pods::PODS,
    &workloads::restart::RESTART,
    &workloads::rollout_status::ROLLOUT_STATUS,
    &workloads::rollout_undo::ROLLOUT_UNDO,
    &workloads::scale::SCALE,
    &workloads::top_pods::TOP_PODS,
    &workloads::wait_ready::WAIT_READY,
    &nodes::cluster_info::CLUSTER_INFO,
    &nodes::cordon::CORDON,
    &nodes::drain::DRAIN,
    &nodes::nodes_list::NODES,
    &nodes::top_nodes::TOP_NODES,
    &nodes::uncordon::UNCORDON,
    &configuration::configmap::CONFIGMAP,
    &configuration::secret::SECRET,
    &http::http_delete::HTTP_DELETE,
    &http::http_get::HTTP_GET,
    &http::http_health::HTTP_HEALTH,
    &http::http_patch::HTTP_PATCH,
    &http::http_post::HTTP_POST,
    &http::http_put::HTTP_PUT,
    &http::metrics::METRICS,
    &http::tcp_check::TCP_CHECK,
    &data::mongo::MONGO,
    &data::mongo_execute::MONGO_EXECUTE,
    &data::redis::REDIS,
    &data::redis_execute::REDIS_EXECUTE,
    &data::sql::SQL,
    &data::sql_execute::SQL_EXECUTE,
    &people::ask::ASK,
    &people::confirm::CONFIRM,
    &people::manual::MANUAL,
    &people::notify::NOTIFY,
    &incident::note::NOTE,
    &machine::command::COMMAND,
    &machine::env::ENV,
    &machine::environment::ENVIRONMENT,
    &machine::now::NOW,
    &machine::read_file::READ_FILE,
    &machine::sleep::SLEEP,
    &machine::uuid::UUID,
    &flow::abort::ABORT,
    &flow::attempt::ATTEMPT,
    &flow::check::CHECK,
    &flow::parallel::PARALLEL,
    &flow::retry::RETRY,
    &flow::runbook::RUNBOOK,
    &flow::services::SERVICES,
    &flow::wait_until::WAIT_UNTIL,
    &flow::watch::WATCH,
    &values::diff::DIFF,
    &values::grep::GREP,
    &values::group_by::GROUP_BY,
    &values::parse_json::PARSE_JSON,
    &values::parse_yaml::PARSE_YAML,
    &values::percentile::PERCENTILE,
    &values::show::SHOW,
    &values::sort_by::SORT_BY,
    &values::table::TABLE,
    &values::to_json::TO_JSON,
];

/// The function of that name.
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().copied().find(|function| function.spec.name == name)
}
