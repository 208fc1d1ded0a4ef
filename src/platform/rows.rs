//! Rows and documents as files: CSV (RFC 4180) or JSON Lines, written while they come, in bounded memory.
//!
//! Secrets are masked in blocks of whole rows. A text that CSV would write with doubled quotes is masked before it is quoted, since in
//! that form no mask knows it.

use std::fmt::Write as _;

use super::Cx;
use super::save::Saver;
use crate::model::operation::Save;
use crate::model::{Failure, Map, Read, Value};

/// So much is held before it is masked and written.
const BLOCK: usize = 64 * 1024;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line of names, then a line a row; nothing for NULL, `""` for the empty text.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    /// The format that a file's name asks for; none of other names.
    pub fn of(path: &str) -> Option<Format> {
        match path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
            Some("csv") => Some(Format::Csv),
            Some("jsonl" | "ndjson") => Some(Format::JsonLines),
            _ => None,
        }
    }
}

/// A file of rows that is being written.
pub struct RowWriter<'a> {
    saver: Saver,
    format: Format,
    cx: Cx<'a>,
    block: String,
    rows: u64,
}

impl<'a> RowWriter<'a> {
    /// Begins a file.
    pub fn begin(save: &Save, cx: &Cx<'a>) -> Result<Self, Failure> {
        let format = Format::of(&save.shown).ok_or_else(|| unknown(&save.shown))?;
        Ok(Self { saver: Saver::begin(save)?, format, cx: *cx, block: String::with_capacity(2 * BLOCK), rows: 0 })
    }

    /// How rows are written here.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes the line of the columns' names, where the format has one.
    pub fn header(&mut self, columns: &[String]) -> Result<(), Failure> {
        if self.format == Format::Csv {
            for (number, column) in columns.iter().enumerate() {
                self.separate(number);
                self.text(column);
            }
            self.block.push('\n');
        }
        Ok(())
    }

    /// Puts a comma before all but the first cell.
    pub fn separate(&mut self, number: usize) {
        if number > 0 {
            self.block.push(',');
        }
    }

    /// Writes a text as a cell.
    pub fn text(&mut self, text: &str) {
        if !text.is_empty() && !text.bytes().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
            self.block.push_str(text);
            return;
        }
        self.block.push('"');
        if text.contains('"') {
            let masked = (self.cx.mask)(text.to_owned());
            self.block.push_str(&masked.replace('"', "\"\""));
        } else {
            self.block.push_str(text);
        }
        self.block.push('"');
    }

    /// Writes what needs no quotes as a cell, such as a number.
    pub fn bare(&mut self, value: impl std::fmt::Display) {
        let _ = write!(self.block, "{value}");
    }

    /// Takes what needs no quotes as a cell.
    pub fn plain(&mut self) -> &mut String {
        &mut self.block
    }

    /// Writes a value as a cell.
    pub fn cell(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Str(text) => self.text(text),
            plain @ (Value::Bool(_) | Value::Int(_) | Value::Float(_)) => self.bare(plain),
            other => self.text(&other.to_string()),
        }
    }

    /// Writes a row or a document as a line of JSON.
    pub fn object(&mut self, object: &Value) -> Result<(), Failure> {
        self.bare(object);
        self.end_of_row()
    }

    /// Ends a row.
    pub fn end_of_row(&mut self) -> Result<(), Failure> {
        self.block.push('\n');
        self.rows += 1;
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let block = std::mem::replace(&mut self.block, String::with_capacity(2 * BLOCK));
        self.saver.write((self.cx.mask)(block).as_bytes())
    }

    /// Ends the file: `#{ path, bytes, sha256 }` with the number of rows under the name that is given.
    pub fn finish(mut self, counted: &str) -> Result<Value, Failure> {
        self.flush()?;
        let mut told = self.saver.finish()?;
        told.set(&[counted], Value::Int(i64::try_from(self.rows).unwrap_or(i64::MAX)));
        Ok(told)
    }
}

/// The failure of a file whose name asks for no format.
pub fn unknown(shown: &str) -> Failure {
    Failure::bad_argument(format!("{shown:?} says no format")).hint("end the name in .csv, or in .jsonl for JSON Lines")
}

/// An answer that is held whole, in the file that its read asks for.
pub(super) fn kept(op: &Read, answer: Value, cx: &Cx<'_>) -> Result<Value, Failure> {
    let list = |value: Option<&Value>| value.and_then(Value::as_list).unwrap_or_default().to_vec();
    match op {
        Read::Sql(statement) => {
            let Some(save) = &statement.save else { return Ok(answer) };
            let mut writer = RowWriter::begin(save, cx)?;
            let columns: Vec<String> = list(answer.get("columns")).iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
            writer.header(&columns)?;
            for row in list(answer.get("rows")) {
                match writer.format() {
                    Format::JsonLines => writer.object(&row)?,
                    Format::Csv => {
                        for (number, column) in columns.iter().enumerate() {
                            writer.separate(number);
                            writer.cell(row.get(column).unwrap_or(&Value::Null));
                        }
                        writer.end_of_row()?;
                    }
                }
            }
            writer.finish("rows")
        }
        Read::Mongo { save: Some(save), .. } => {
            let mut writer = RowWriter::begin(save, cx)?;
            for document in list(answer.at(&["cursor", "firstBatch"])) {
                writer.object(&document)?;
            }
            writer.finish("documents")
        }
        _ => Ok(answer),
    }
}

/// A row's cells by their columns.
pub fn row(columns: &[String], cells: impl Iterator<Item = Value>) -> Value {
    Value::Map(columns.iter().cloned().zip(cells).collect::<Map>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::operation::Statement;
    use crate::platform::Cancel;

    fn written(name: &str, answer: Value) -> (String, Value) {
        let folder = tempfile::tempdir().unwrap();
        let save = Save { path: folder.path().join(name), shown: name.to_owned(), keep: true };
        let path = save.path.clone();
        let (cancel, mask) = (Cancel::default(), |text: String| text.replace("se\"cret", "***").replace("hidden", "***"));
        let cx = Cx { mask: &mask, ..Cx::quiet(&cancel) };
        let timeout = std::time::Duration::ZERO;
        let op = Read::Sql(Statement { database: "db".into(), text: String::new(), params: vec![], limit: 9, save: Some(save), timeout });
        let told = kept(&op, answer, &cx).unwrap();
        (std::fs::read_to_string(path).unwrap(), told)
    }

    #[test]
    fn rows_are_csv_or_lines_of_json_and_masked() {
        let cells = |a: Value, b: Value| map! { "a" => a, "b,c" => b };
        let rows = vec![
            cells(1.into(), "plain".into()),
            cells(Value::Null, "".into()),
            cells(true.into(), "two\nlines".into()),
            cells(0.5.into(), "a se\"cret".into()),
            cells(vec![1.into()].into(), "hidden".into()),
        ];
        let answer = map! { "columns" => vec!["a".into(), "b,c".into()], "rows" => rows };
        let (text, told) = written("rows.csv", answer.clone());
        assert_eq!(text, "a,\"b,c\"\n1,plain\n,\"\"\ntrue,\"two\nlines\"\n0.5,\"a ***\"\n[1],***\n");
        assert_eq!((told.int_at(&["rows"]), told.int_at(&["bytes"])), (Some(5), Some(text.len() as i64)));
        let (text, _) = written("rows.jsonl", answer);
        assert_eq!(text.lines().next(), Some(r#"{"a":1,"b,c":"plain"}"#));
        assert_eq!(text.lines().last(), Some(r#"{"a":[1],"b,c":"***"}"#));
        assert_eq!((Format::of("a.b/rows"), Format::of("x.CSV")), (None, Some(Format::Csv)));
    }
}
