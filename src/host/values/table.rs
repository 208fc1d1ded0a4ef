//! `table`: rows as a person compares them.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

use super::fields;

/// The function.
pub static TABLE: Function = Function {
    spec: Spec {
        name: "table",
        group: Group::Values,
        summary: "Shows an array of maps as a table with the columns that matter, in their order. Rows of databases are shown as counts and shapes.",
        params: &[Param { name: "rows", ty: Type::Any, required: true, help: "an array of maps" }],
        options: &[
            Opt {
                name: "columns",
                ty: Type::Strings,
                default: "",
                help: "the fields to show, in this order, such as `[\"pod\", \"memory_bytes\"]`; a path leads into maps: `\"metadata.name\"`. Without it `show`'s choice",
            },
            Opt { name: "title", ty: Type::Str, default: "", help: "a heading" },
            Opt { name: "reveal", ty: Type::Bool, default: "false", help: "shows the values of database rows too; that is on record" },
        ],
        returns: "nothing: maps have no order of fields, so it is shown and not answered",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "What uses the most memory",
            code: "table(sort_by(top_pods(), \"memory_bytes\", #{ descending: true }), #{ columns: [\"pod\", \"memory_bytes\"], title: \"Memory\" })",
            result: "null",
        }],
    },
    body: Body::Output(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let (given, title) = (args.get(0).unwrap_or(&Value::Null), args.option_str("title"));
    let columns = args.option_strs("columns");
    match given {
        Value::List(rows) if rows.iter().all(|row| matches!(row, Value::Map(_))) => {
            columns.iter().try_for_each(|column| fields::known("column", column, rows))?;
            match &columns[..] {
                [] => cx.ui().show(given, title),
                columns => cx.ui().table(&narrowed(rows, columns), columns, title),
            }
        }
        // Rows by their shape, and what a rehearsal cannot know.
        Value::Str(_) | Value::Unsent(_) => cx.ui().show(given, title),
        other => {
            return Err(Type::Rows
                .check("`rows`", other)
                .err()
                .unwrap_or_else(|| Failure::bad_argument("`rows` must be an array of maps")));
        }
    }
    Ok(Value::Null)
}

/// The rows with these fields alone, each under its path.
fn narrowed(rows: &[Value], columns: &[&str]) -> Vec<Value> {
    let narrow = |row: &Value| Value::Map(columns.iter().map(|column| (*column, fields::or_null(row, column).clone())).collect());
    rows.iter().map(narrow).collect()
}
