//! Which of PostgreSQL's functions act, though a SELECT calls them.
//!
//! Source: `pg_proc` of PostgreSQL 15 (every volatile function of `pg_catalog` and of its contrib modules was looked
//! at) and the manuals up to 18. What other functions do cannot be known from a statement's text: there the read-only
//! transaction and the reader's role are the boundary.

/// Patterns by what is wrong with the functions. `x*` is a prefix; `x*(` is a prefix in calls only, since columns and
/// relations bear such names too.
const ACTING: &[(&str, &[&str])] = &[
    (
        "acts on the server",
        &[
            "pg_cancel_backend",
            "pg_terminate_backend",
            "pg_reload_conf",
            "pg_rotate_logfile*",
            "pg_promote",
            "pg_switch_wal",
            "pg_switch_xlog",
            "pg_create_restore_point",
            "pg_start_backup",
            "pg_stop_backup",
            "pg_backup_start",
            "pg_backup_stop",
            "pg_backup_*(",
            "pg_wal_replay_pause",
            "pg_wal_replay_resume",
            "pg_wal_replay_*(",
            "pg_log_backend_memory_contexts",
            "pg_log_standby_snapshot",
            "pg_get_process_memory_contexts",
            "pg_create_logical_replication_slot",
            "pg_create_physical_replication_slot",
            "pg_copy_logical_replication_slot",
            "pg_copy_physical_replication_slot",
            "pg_drop_replication_slot",
            "pg_sync_replication_slots",
            "pg_replication_origin_create",
            "pg_replication_origin_drop",
            "pg_replication_origin_progress",
            "pg_replication_origin_session_progress",
            "pg_replication_origin_session_setup",
            "pg_replication_slot_advance",
            "pg_replication_*(",
            "pg_logical_emit_message",
            "pg_logical_slot_*",
            "pg_logical_*(",
            "pg_stat_reset*",
            "pg_stat_statements_reset",
            "pg_notify",
            "pg_export_snapshot",
            "pg_extension_config_dump",
            "pg_import_system_collations",
            "pg_nextoid",
            "pg_stop_making_pinned_objects",
            "pg_prewarm",
            "autoprewarm_*",
            "pg_buffercache_evict*",
            "pg_truncate_visibility_map",
            "binary_upgrade_*",
        ],
    ),
    (
        "writes",
        &[
            "nextval",
            "setval",
            "lo_close",
            "lo_creat",
            "lo_create",
            "lo_export",
            "lo_from_bytea",
            "lo_get",
            "lo_import",
            "lo_open",
            "lo_put",
            "lo_truncate",
            "lo_truncate64",
            "lo_unlink",
            "lo_*(",
            "loread",
            "lowrite",
            "gin_clean_pending_list",
            "brin_summarize_new_values",
            "brin_summarize_range",
            "brin_desummarize_range",
            "pg_file_sync",
            "pg_file_unlink",
            "pg_file_*(",
            "heap_force_*",
        ],
    ),
    ("changes a setting", &["set_config"]),
    ("spends a transaction id", &["txid_current", "pg_current_xact_id"]),
    ("takes locks", &["pg_advisory_*", "pg_try_advisory_*", "bt_index_parent_check"]),
    ("holds the connection", &["pg_sleep*"]),
    (
        "reads the server's files, not the database",
        &["pg_read_file*", "pg_read_binary_file", "pg_ls_*(", "pg_ls_dir", "pg_stat_file", "pg_logdir_ls", "pg_hba_file_rules*("],
    ),
    (
        "executes its text as another statement",
        &[
            "query_to_xml*",
            "cursor_to_xml*",
            "table_to_xml*",
            "schema_to_xml*",
            "database_to_xml*",
            "ts_stat",
            "ts_rewrite",
            "xpath_table",
            "crosstab*(",
            "connectby",
            "run_command_on_*",
            "pgr_*(",
        ],
    ),
    (
        "reaches another server",
        &["dblink*", "http(", "http_get", "http_post", "http_put", "http_patch", "http_delete", "http_head", "postgres_fdw_disconnect*"],
    ),
];

/// Schemas of extensions all of whose functions act.
const ACTING_SCHEMAS: &[&str] = &["cron", "aws_s3", "aws_lambda", "pgagent", "net", "partman"];

/// Functions named `pg_…` that only read. A `pg_…` function that is not here is refused: new ones may act.
const READING: &[&str] = &[
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_backend_pid",
    "pg_blocking_pids",
    "pg_buffercache_pages",
    "pg_buffercache_summary",
    "pg_buffercache_usage_counts",
    "pg_char_to_encoding",
    "pg_client_encoding",
    "pg_collation_actual_version",
    "pg_collation_for",
    "pg_column_*",
    "pg_conf_load_time",
    "pg_config",
    "pg_control_checkpoint",
    "pg_control_init",
    "pg_control_recovery",
    "pg_control_system",
    "pg_current_logfile",
    "pg_current_snapshot",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_current_xact_id_if_assigned",
    "pg_cursor",
    "pg_database_collation_actual_version",
    "pg_database_size",
    "pg_describe_object",
    "pg_encoding_max_length",
    "pg_encoding_to_char",
    "pg_extension_update_paths",
    "pg_filenode_relation",
    "pg_freespace",
    "pg_get_*",
    "pg_has_role",
    "pg_identify_object",
    "pg_identify_object_as_address",
    "pg_index_column_has_property",
    "pg_index_has_property",
    "pg_indexam_has_property",
    "pg_indexes_size",
    "pg_input_error_info",
    "pg_input_is_valid",
    "pg_is_in_backup",
    "pg_is_in_recovery",
    "pg_is_other_temp_schema",
    "pg_is_wal_replay_paused",
    "pg_jit_available",
    "pg_last_committed_xact",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_listening_channels",
    "pg_lock_status",
    "pg_lsn",
    "pg_mcv_list_items",
    "pg_my_temp_schema",
    "pg_notification_queue_usage",
    "pg_options_to_table",
    "pg_partition_ancestors",
    "pg_partition_root",
    "pg_partition_tree",
    "pg_postmaster_start_time",
    "pg_prepared_statement",
    "pg_prepared_xact",
    "pg_relation_*",
    "pg_relpages",
    "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value",
    "pg_sequence_parameters",
    "pg_settings_get_flags",
    "pg_show_all_settings",
    "pg_show_replication_origin_status",
    "pg_size_bytes",
    "pg_size_pretty",
    "pg_snapshot_*",
    "pg_stat_get_*",
    "pg_stat_have_stats",
    "pg_stat_statements",
    "pg_stat_statements_info",
    "pg_table_size",
    "pg_tablespace_databases",
    "pg_tablespace_location",
    "pg_tablespace_size",
    "pg_timezone_abbrevs",
    "pg_timezone_names",
    "pg_total_relation_size",
    "pg_trigger_depth",
    "pg_typeof",
    "pg_visibility",
    "pg_visibility_map",
    "pg_visibility_map_summary",
    "pg_visible_in_snapshot",
    "pg_wal_lsn_diff",
    "pg_walfile_name",
    "pg_walfile_name_offset",
    "pg_xact_commit_timestamp",
    "pg_xact_commit_timestamp_origin",
    "pg_xact_status",
];

/// How a name stands in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before a parenthesis.
    Call,
    /// After a dot: PostgreSQL reads `(1).f` and `alias.f` as `f(1)` where there is no such column.
    Attribute,
}

/// Why a function may not be called by a read, if it may not. The name is compared without regard to case.
pub(super) fn refusal(name: &str, schema: Option<&str>, place: Place) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let acting = ACTING.iter().find(|(_, patterns)| patterns.iter().any(|pattern| matches(pattern, &name, place)));
    if let Some((reason, _)) = acting {
        return Some(reason);
    }
    if place == Place::Attribute {
        return None;
    }
    if schema.is_some_and(|schema| ACTING_SCHEMAS.iter().any(|acting| schema.eq_ignore_ascii_case(acting))) {
        return Some("belongs to an extension whose functions act");
    }
    let known = || name.ends_with("_is_visible") || READING.iter().any(|pattern| matches(pattern, &name, place));
    (name.starts_with("pg_") && !known()).then_some("is not known to only read")
}

fn matches(pattern: &str, name: &str, place: Place) -> bool {
    let pattern = match (pattern.strip_suffix('('), place) {
        (Some(_), Place::Attribute) => return false,
        (Some(pattern), Place::Call) => pattern,
        (None, _) => pattern,
    };
    match pattern.split_once('*') {
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_refused_and_what_reads_is_not() {
        let call = |name| refusal(name, None, Place::Call);
        assert_eq!(call("PG_Terminate_Backend"), Some("acts on the server"));
        assert_eq!(call("pg_try_advisory_xact_lock"), Some("takes locks"));
        assert_eq!(call("pg_something_new"), Some("is not known to only read"));
        assert_eq!(call("lo_anything"), Some("writes"));
        for name in ["pg_stat_get_activity", "pg_size_pretty", "pg_table_is_visible", "pg_get_functiondef", "currval", "count", "lower"] {
            assert_eq!(call(name), None, "{name}");
        }
        assert_eq!(refusal("schedule", Some("cron"), Place::Call), Some("belongs to an extension whose functions act"));
        assert_eq!(refusal("schedule", None, Place::Call), None);
    }

    #[test]
    fn columns_and_relations_are_not_mistaken_for_functions() {
        let attribute = |name| refusal(name, None, Place::Attribute);
        for name in ["lo_orderkey", "pg_replication_slots", "pg_stat_activity", "pg_anything", "pg_backup_at", "http"] {
            assert_eq!(attribute(name), None, "{name}");
        }
        for name in ["pg_sleep", "pg_terminate_backend", "lo_unlink", "pg_advisory_lock", "nextval", "pg_drop_replication_slot"] {
            assert!(attribute(name).is_some(), "{name}");
        }
    }
}
