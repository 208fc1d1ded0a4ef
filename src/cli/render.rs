//! Values as people read them: tables for arrays of maps, trees for maps, one line for the rest.

use std::collections::BTreeSet;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use crate::call::Change;
use crate::model::{Key, Map, Value, difference, text};

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// More rows than this are counted, not shown.
    pub rows: usize,
    /// Longer texts are cut, in characters.
    pub text: usize,
    /// How to see the rest, for the line that counts it.
    pub rest: &'static str,
}

/// What a run shows.
const IN_RUNS: Most = Most { rows: 200, text: 400, rest: "" };

/// The terminal's width, or 120 columns where there is none.
pub fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok().map(|size| usize::from(size.ws_col));
    size.filter(|columns| *columns >= 20).unwrap_or(120)
}

/// The columns of the terminal that reads the output; none where a program does.
pub fn output_width() -> Option<usize> {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns >= 20)
}

/// A value under a heading, as runs show it.
pub fn value(value: &Value, title: Option<&str>, width: usize) -> String {
    let body = body(value, width, IN_RUNS);
    match title {
        Some(title) => format!("{}\n{body}", text::one_line(title)),
        None => body,
    }
}

/// Rows under a heading, with these columns in this order.
pub fn rows(items: &[Value], columns: &[&str], title: Option<&str>, width: usize) -> String {
    let body = if items.is_empty() { "(none)".to_owned() } else { table(items, Some(columns), width, IN_RUNS) };
    match title {
        Some(title) => format!("{}\n{body}", text::one_line(title)),
        None => body,
    }
}

/// A value without a heading.
pub fn body(value: &Value, width: usize, most: Most) -> String {
    match value {
        Value::List(items) if items.is_empty() => "(none)".to_owned(),
        Value::List(items) if items.iter().all(|item| matches!(item, Value::Map(_))) => table(items, None, width, most),
        Value::List(items) => {
            let shown = items.iter().take(most.rows).map(|item| format!("- {}", cell(item, most)));
            shown.chain(more(items.len(), most)).collect::<Vec<_>>().join("\n")
        }
        Value::Map(map) => tree(map, 0, most),
        Value::Null => "()".to_owned(),
        other => cell(other, most),
    }
}

fn more(count: usize, most: Most) -> Option<String> {
    (count > most.rows).then(|| format!("… {} more{}", count - most.rows, most.rest))
}

/// Columns that say what a row is about come first; the others follow by name.
const FIRST: [&str; 9] = ["time", "service", "workload", "name", "pod", "target", "namespace", "ok", "ready"];

fn table(items: &[Value], chosen: Option<&[&str]>, width: usize, most: Most) -> String {
    let maps: Vec<&Map> = items.iter().take(most.rows).filter_map(Value::as_map).collect();
    let columns = chosen.map_or_else(|| telling(&maps, most), <[&str]>::to_vec);
    let mut columns: Vec<Column<'_>> = columns.into_iter().map(|key| Column::new(key, &maps, most)).collect();
    let aside = if chosen.is_none() { fit(&mut columns, width) } else { None };
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table.set_header(columns.iter().map(|column| text::one_line(column.key).to_uppercase()));
    for row in 0..maps.len() {
        table.add_row(columns.iter().map(|column| column.cells[row].as_str()));
    }
    for (column, one) in table.column_iter_mut().zip(&columns) {
        if !one.flows {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.chain(aside).chain(more(items.len(), most)).collect::<Vec<_>>().join("\n")
}

/// The columns that tell something, those that say what a row is about first.
fn telling<'a>(maps: &[&'a Map], most: Most) -> Vec<&'a str> {
    let keys: BTreeSet<&str> = maps.iter().flat_map(|map| map.keys().map(|key| key.as_str())).collect();
    let mut columns: Vec<&str> = FIRST.into_iter().filter(|key| keys.contains(key)).collect();
    columns.extend(keys.into_iter().filter(|key| !FIRST.contains(key)));
    // A column that is empty in every row says nothing, and one of maps would fill the screen.
    columns.retain(|key| {
        let values = || maps.iter().filter_map(|map| map.get(*key));
        values().any(|value| !cell(value, most).is_empty()) && !values().any(|value| matches!(value, Value::Map(_)))
    });
    columns
}

/// A column of a table.
struct Column<'a> {
    key: &'a str,
    cells: Vec<String>,
    width: usize,
    /// Whether it is text that can go over several lines; a name that is broken cannot be copied.
    flows: bool,
}

/// The least that flowing text needs.
const FLOWING: usize = 24;

impl<'a> Column<'a> {
    fn new(key: &'a str, maps: &[&Map], most: Most) -> Self {
        let cells: Vec<String> = maps
            .iter()
            .map(|map| map.get(key).map(|value| if key == "time" { moment(value, most) } else { cell(value, most) }).unwrap_or_default())
            .collect();
        let widest = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        let flows = widest > FLOWING && cells.iter().any(|cell| cell.contains(' '));
        Self { key, width: widest.max(key.chars().count()), cells, flows }
    }

    /// The text that all rows have, where it is the same.
    fn same(&self) -> Option<&str> {
        let first = self.cells.first().filter(|_| self.cells.len() > 1)?;
        (!matches!(first.as_str(), "true" | "false" | "") && self.cells.iter().all(|cell| cell == first)).then_some(first)
    }

    fn takes(&self) -> usize {
        2 + if self.flows { self.width.min(FLOWING) } else { self.width }
    }
}

/// Takes out columns until the rest fits: what is the same in every row is told once, then the widest go.
fn fit(columns: &mut Vec<Column<'_>>, width: usize) -> Option<String> {
    let (mut told, mut left_out) = (Vec::new(), Vec::new());
    while columns.len() > 2 && columns.iter().map(Column::takes).sum::<usize>() > width {
        let same = columns.iter().enumerate().filter(|(_, column)| column.same().is_some());
        let widest_same = same.max_by_key(|(_, column)| column.width).map(|(number, _)| number);
        let spare = columns.iter().enumerate().filter(|(_, column)| !FIRST.contains(&column.key) && !column.flows);
        let widest = spare.max_by_key(|(_, column)| column.width).map(|(number, _)| number);
        let Some(number) = widest_same.or(widest) else { break };
        let column = columns.remove(number);
        match column.same() {
            Some(value) => told.push(format!("{} {value}", column.key)),
            None => left_out.push(column.key.to_owned()),
        }
    }
    let told = (!told.is_empty()).then(|| format!("all: {}", told.join(", ")));
    let left_out = (!left_out.is_empty()).then(|| format!("not shown: {}", left_out.join(", ")));
    let aside: Vec<String> = told.into_iter().chain(left_out).collect();
    (!aside.is_empty()).then(|| format!(" ({})", aside.join("; ")))
}

fn tree(map: &Map, depth: usize, most: Most) -> String {
    let indent = "  ".repeat(depth);
    let lines = map.iter().map(|(key, value)| {
        let key = text::one_line(key);
        match value {
            Value::Map(inner) if !inner.is_empty() => format!("{indent}{key}:\n{}", tree(inner, depth + 1, most)),
            Value::List(items) if items.iter().any(|item| matches!(item, Value::Map(_) | Value::List(_))) => {
                let rows = items.iter().take(most.rows).map(|item| format!("{indent}  - {}", cell(item, most)));
                format!("{indent}{key}:\n{}", rows.chain(more(items.len(), most)).collect::<Vec<_>>().join("\n"))
            }
            other => format!("{indent}{key}: {}", cell(other, most)),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A time to the millisecond: what is beyond says nothing to a person and takes the room of what does.
fn moment(value: &Value, most: Most) -> String {
    let shown = cell(value, most);
    match shown.strip_suffix('Z').and_then(|time| time.split_once('.')) {
        Some((seconds, fraction)) if fraction.len() > 3 && fraction.bytes().all(|c| c.is_ascii_digit()) => {
            format!("{seconds}.{}Z", &fraction[..3])
        }
        _ => shown,
    }
}

/// A value on one line; text as it is, but inert.
fn cell(value: &Value, most: Most) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) => text::short(text, most.text),
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::Float(x) => format!("{}", (x * 10.0).round() / 10.0),
        Value::Secret(_) => "***".to_owned(),
        Value::Unsent(unsent) => format!("<not sent: {}>", unsent.function),
        other => text::short(&other.to_string(), most.text),
    }
}

/// What a change changes: `spec.replicas 3 → 7`.
pub fn difference(change: &Change) -> String {
    let (Some(before), Some(after)) = (change.before.as_map(), change.after.as_map()) else {
        // A message has its text, a request its method and what its body is.
        return difference::lines(&change.before, &change.after).join(", ");
    };
    let old = |field: &Key| before.get(field).unwrap_or(&Value::Null);
    // What stays as it is is known for the way back, and no news.
    let fields = after.iter().filter(|(field, new)| old(field) != *new).map(|(field, new)| {
        let shown = |value: &Value| if *value == Value::Null { "(none)".to_owned() } else { text::short(&cell(value, IN_RUNS), 60) };
        format!("{} {} → {}", text::short(field, 80), shown(old(field)), shown(new))
    });
    fields.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn arrays_of_maps_are_tables_without_empty_columns() {
        let rows =
            Value::List(vec![map! { "ok" => true, "name" => "a", "x" => "" }, map! { "ok" => false, "name" => "b\u{1b}[2J", "x" => "" }]);
        assert_eq!(value(&rows, Some("Title"), 80), "Title\n NAME        OK\n a           true\n b\\u{1b}[2J  false");
    }

    #[test]
    fn a_table_that_is_too_wide_says_what_it_leaves_out_and_breaks_no_name() {
        let row = |n: i64| map! { "name" => format!("api-gateway-v55qn4vl9s-{n}"), "phase" => "Running", "ip" => format!("10.244.171.2{n}"), "restarts" => n };
        let rows = Value::List(vec![row(1), row(2)]);
        assert_eq!(
            value(&rows, None, 40),
            " NAME                      RESTARTS\n api-gateway-v55qn4vl9s-1  1\n api-gateway-v55qn4vl9s-2  2\n (all: phase Running; not shown: ip)"
        );
        assert_eq!(value(&rows, None, 80).lines().next(), Some(" NAME                      IP             PHASE    RESTARTS"));
    }

    #[test]
    fn chosen_columns_stand_in_their_order_empty_or_not() {
        let row = |n: i64| map! { "name" => "a", "z\u{1b}" => n, "empty" => "", "same" => 1 };
        let shown = rows(&[row(1), row(2)], &["z\u{1b}", "empty", "same"], Some("T"), 20);
        assert_eq!(shown, "T\n Z\\U{1B}  EMPTY  SAME\n 1               1\n 2               1");
        assert_eq!(rows(&[], &["a"], None, 80), "(none)");
    }

    #[test]
    fn times_are_shown_to_the_millisecond() {
        let row = |time: &str| map! { "time" => time, "line" => "x" };
        let rows = Value::List(vec![row("2026-11-25T09:52:32.123456789Z"), row("2026-11-25T09:52:33Z"), row("a.bcdeZ")]);
        let shown = value(&rows, None, 80);
        assert_eq!(
            shown.lines().skip(1).collect::<Vec<_>>(),
            [" 2026-11-25T09:52:32.123Z  x", " 2026-11-25T09:52:33Z      x", " a.bcdeZ                   x"]
        );
    }

    #[test]
    fn maps_are_trees() {
        let map = map! { "a" => map! { "b" => 1 }, "c" => vec![Value::from(1), Value::from(2)], "d" => Value::Null };
        assert_eq!(value(&map, None, 80), "a:\n  b: 1\nc: [1,2]\nd: ");
    }
}
