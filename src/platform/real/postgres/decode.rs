//! Columns as values, from the binary format (PostgreSQL's `src/backend/utils/adt`, the `…send` functions).

use std::error::Error;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::civil::{Date, Time};
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Span, Timestamp};
use tokio_postgres::types::{FromSql, Kind, Type};

use super::super::open;
use crate::model::Value;
use crate::platform::rows::RowWriter;

type Fault = Box<dyn Error + Sync + Send>;

/// Writes times as RFC 3339.
const PRINTER: DateTimePrinter = DateTimePrinter::new();

/// Microseconds from 1970 to 2000, PostgreSQL's epoch.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// One cell and the bytes that it took on the wire.
pub(super) struct Cell {
    /// The value.
    pub(super) value: Value,
    /// Its size.
    pub(super) bytes: usize,
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Cell { value: decode(ty, raw)?, bytes: raw.len() })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Cell { value: Value::Null, bytes: 0 })
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// One cell as it came, on its way to a file; none for NULL.
pub(super) struct Raw<'a>(pub(super) Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Raw(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Raw(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Writes a cell as CSV; the usual types without a value in between.
pub(super) fn write(ty: &Type, raw: &[u8], writer: &mut RowWriter<'_>) -> Result<(), Fault> {
    match *ty {
        Type::BOOL => writer.bare(fixed::<1>(raw)? != [0]),
        Type::INT2 => writer.bare(i16::from_be_bytes(fixed(raw)?)),
        Type::INT4 => writer.bare(i32::from_be_bytes(fixed(raw)?)),
        Type::INT8 => writer.bare(i64::from_be_bytes(fixed(raw)?)),
        Type::NUMERIC => numeric(raw, writer.plain())?,
        Type::TIMESTAMPTZ | Type::TIMESTAMP => timestamp(i64::from_be_bytes(fixed(raw)?), *ty == Type::TIMESTAMPTZ, writer.plain()),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => match std::str::from_utf8(raw) {
            Ok(text) => writer.text(text),
            Err(_) => writer.text(&hex(raw)),
        },
        _ => writer.cell(&decode(ty, raw)?),
    }
    Ok(())
}

/// Whether a type can be read here; the others are cast to text by the server.
pub(super) fn is_known(ty: &Type) -> bool {
    match ty.kind() {
        Kind::Array(element) => is_known(element),
        Kind::Domain(base) => is_known(base),
        Kind::Enum(_) => true,
        _ => matches!(
            *ty,
            Type::BOOL
                | Type::INT2
                | Type::INT4
                | Type::INT8
                | Type::OID
                | Type::XID
                | Type::FLOAT4
                | Type::FLOAT8
                | Type::NUMERIC
                | Type::TEXT
                | Type::VARCHAR
                | Type::BPCHAR
                | Type::NAME
                | Type::CHAR
                | Type::UNKNOWN
                | Type::XML
                | Type::VOID
                | Type::JSON
                | Type::JSONB
                | Type::UUID
                | Type::BYTEA
                | Type::INET
                | Type::CIDR
                | Type::TIMESTAMPTZ
                | Type::TIMESTAMP
                | Type::DATE
                | Type::TIME
                | Type::INTERVAL
        ),
    }
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], Fault> {
    raw.try_into().map_err(|_| format!("{} bytes where {N} were expected", raw.len()).into())
}

fn decode(ty: &Type, raw: &[u8]) -> Result<Value, Fault> {
    match ty.kind() {
        Kind::Array(element) => return array(element, raw),
        Kind::Domain(base) => return decode(base, raw),
        _ => {}
    }
    let mut text = String::new();
    Ok(match *ty {
        Type::BOOL => Value::Bool(fixed::<1>(raw)? != [0]),
        Type::INT2 => i64::from(i16::from_be_bytes(fixed(raw)?)).into(),
        Type::INT4 => i32::from_be_bytes(fixed(raw)?).into(),
        Type::INT8 => i64::from_be_bytes(fixed(raw)?).into(),
        Type::OID | Type::XID => u32::from_be_bytes(fixed(raw)?).into(),
        Type::FLOAT4 => short_float(f32::from_be_bytes(fixed(raw)?)).into(),
        Type::FLOAT8 => f64::from_be_bytes(fixed(raw)?).into(),
        Type::NUMERIC => {
            numeric(raw, &mut text)?;
            text.into()
        }
        Type::JSON => open::parse(raw)?,
        Type::JSONB => open::parse(raw.get(1..).unwrap_or_default())?,
        Type::UUID => uuid::Uuid::from_bytes(fixed(raw)?).to_string().into(),
        Type::BYTEA => hex(raw).into(),
        Type::INET | Type::CIDR => network(raw, *ty == Type::CIDR)?.into(),
        Type::TIMESTAMPTZ | Type::TIMESTAMP => {
            timestamp(i64::from_be_bytes(fixed(raw)?), *ty == Type::TIMESTAMPTZ, &mut text);
            text.into()
        }
        Type::DATE => date(i32::from_be_bytes(fixed(raw)?)).into(),
        Type::TIME => time(i64::from_be_bytes(fixed(raw)?)).into(),
        Type::INTERVAL => interval(fixed(raw)?).into(),
        Type::VOID => Value::Null,
        Type::CHAR => String::from_utf8_lossy(if raw == [0] { &[] } else { raw }).into_owned().into(),
        // Text, enums, and types of extensions whose binary form is their text.
        _ => match std::str::from_utf8(raw) {
            Ok(text) if !text.contains('\0') => text.into(),
            _ => hex(raw).into(),
        },
    })
}

/// A float4 with the digits that it has, and not those of its nearest float8.
fn short_float(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

fn hex(raw: &[u8]) -> String {
    raw.iter().fold(String::from("\\x"), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `numeric_send`: digits to the base of 10,000, the weight of the first, sign, decimals shown.
fn numeric(raw: &[u8], out: &mut String) -> Result<(), Fault> {
    let words = raw.as_chunks().0;
    let [count, weight, sign, scale, digits @ ..] = words else { return Err("a numeric is cut short".into()) };
    let [count, weight, sign, scale] = [count, weight, sign, scale].map(|word| u16::from_be_bytes(*word));
    let word = match sign {
        0xC000 => "NaN",
        0xD000 => "Infinity",
        0xF000 => "-Infinity",
        _ => "",
    };
    if !word.is_empty() {
        out.push_str(word);
        return Ok(());
    }
    if sign == 0x4000 {
        out.push('-');
    }
    let digits = digits.get(..usize::from(count)).ok_or("a numeric is cut short")?;
    let digit = |place: i32| usize::try_from(place).ok().and_then(|place| digits.get(place)).map_or(0, |digit| u16::from_be_bytes(*digit));
    let weight = i32::from(weight as i16);
    // The first has no zeros before it.
    let _ = write!(out, "{}", if weight < 0 { 0 } else { digit(0) });
    (1..=weight).for_each(|place| four(digit(place), out));
    if scale > 0 {
        out.push('.');
        let end = out.len() + usize::from(scale);
        let mut place = weight + 1;
        while out.len() < end {
            four(digit(place), out);
            place += 1;
        }
        out.truncate(end);
    }
    Ok(())
}

/// Writes a digit to the base of 10,000 with its zeros.
fn four(digit: u16, out: &mut String) {
    for power in [1000, 100, 10, 1] {
        out.push(char::from(b'0' + (digit / power % 10) as u8));
    }
}

fn timestamp(micros: i64, with_zone: bool, out: &mut String) {
    match micros {
        i64::MAX => return out.push_str("infinity"),
        i64::MIN => return out.push_str("-infinity"),
        _ => {}
    }
    let at = micros.checked_add(EPOCH_MICROS).and_then(|micros| Timestamp::from_microsecond(micros).ok());
    let begin = out.len();
    let written = at.and_then(|at| PRINTER.print_timestamp(&at, &mut *out).ok());
    if written.is_none() {
        out.truncate(begin);
        out.push_str("out of range");
    } else if !with_zone {
        // The `Z`.
        out.pop();
    }
}

fn date(days: i32) -> String {
    match days {
        i32::MAX => return "infinity".into(),
        i32::MIN => return "-infinity".into(),
        _ => {}
    }
    let epoch = Date::constant(2000, 1, 1);
    Span::new().try_days(days).and_then(|span| epoch.checked_add(span)).map_or_else(|_| "out of range".into(), |date| date.to_string())
}

fn time(micros: i64) -> String {
    if micros == 86_400_000_000 {
        return "24:00:00".into();
    }
    Time::midnight().checked_add(SignedDuration::from_micros(micros)).map_or_else(|_| "out of range".into(), |time| time.to_string())
}

/// As psql shows it: `1 year 2 mons 3 days 04:05:06.5`.
fn interval(raw: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, days @ .., _, _, _, _] = raw;
    let micros = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let days = i32::from_be_bytes(days);
    let months = i32::from_be_bytes([raw[12], raw[13], raw[14], raw[15]]);
    let mut parts = Vec::new();
    let mut part = |number: i32, one: &str, many: &str| {
        if number != 0 {
            parts.push(format!("{number} {}", if number == 1 { one } else { many }));
        }
    };
    part(months / 12, "year", "years");
    part(months % 12, "mon", "mons");
    part(days, "day", "days");
    if micros != 0 || parts.is_empty() {
        let (sign, total) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        let (seconds, fraction) = (total / 1_000_000, total % 1_000_000);
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}").trim_end_matches('0').to_owned() };
        parts.push(format!("{sign}{:02}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    }
    parts.join(" ")
}

/// `inet_send`: family (2 or 3), bits, whether a cidr, length, address.
fn network(raw: &[u8], is_cidr: bool) -> Result<String, Fault> {
    let [family, bits, _, _, address @ ..] = raw else { return Err("an inet is cut short".into()) };
    let (text, whole) = match *family {
        2 => (Ipv4Addr::from(fixed::<4>(address)?).to_string(), 32),
        _ => (Ipv6Addr::from(fixed::<16>(address)?).to_string(), 128),
    };
    Ok(if !is_cidr && *bits == whole { text } else { format!("{text}/{bits}") })
}

/// `array_send`: dimensions, nulls, element type, then each dimension's size and lower bound, then the elements.
fn array(element: &Type, raw: &[u8]) -> Result<Value, Fault> {
    let mut rest = raw;
    let mut word = || -> Result<i32, Fault> {
        let (head, tail) = rest.split_at_checked(4).ok_or("an array is cut short")?;
        rest = tail;
        Ok(i32::from_be_bytes(fixed(head)?))
    };
    let dimensions = word()?;
    word()?;
    word()?;
    let mut sizes = Vec::new();
    for _ in 0..dimensions {
        sizes.push(usize::try_from(word()?)?);
        word()?;
    }
    if sizes.is_empty() {
        return Ok(Value::List(Vec::new()));
    }
    nested(element, &sizes, &mut rest)
}

fn nested(element: &Type, sizes: &[usize], rest: &mut &[u8]) -> Result<Value, Fault> {
    let Some((size, inner)) = sizes.split_first() else {
        let (head, tail) = rest.split_at_checked(4).ok_or("an array is cut short")?;
        *rest = tail;
        let Ok(length) = usize::try_from(i32::from_be_bytes(fixed(head)?)) else { return Ok(Value::Null) };
        let (head, tail) = rest.split_at_checked(length).ok_or("an array is cut short")?;
        *rest = tail;
        return decode(element, head);
    };
    (0..*size).map(|_| nested(element, inner, rest)).collect::<Result<_, _>>().map(Value::List)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::Save;
    use crate::platform::{Cancel, Cx};

    fn words(words: &[i16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numerics_keep_every_digit() {
        for (raw, text) in [
            (words(&[0, 0, 0, 0]), "0"),
            (words(&[0, 0, 0, 2]), "0.00"),
            (words(&[2, 1, 0, 0, 1, 2345]), "12345"),
            (words(&[2, 0, 0, 2, 12, 3400]), "12.34"),
            (words(&[1, -1, 0x4000, 4, 5]), "-0.0005"),
            (words(&[1, -2, 0, 6, 1200]), "0.000012"),
            (words(&[1, 2, 0, 0, 1]), "100000000"),
            (words(&[0, 0, 0xC000u16 as i16, 0]), "NaN"),
        ] {
            assert_eq!(decode(&Type::NUMERIC, &raw).unwrap(), text.into());
        }
        assert!(decode(&Type::NUMERIC, &words(&[3, 0, 0, 0, 1])).is_err());
    }

    #[test]
    fn times_are_iso() {
        let timestamp = |micros: i64, with_zone: bool| {
            let ty = if with_zone { Type::TIMESTAMPTZ } else { Type::TIMESTAMP };
            decode(&ty, &micros.to_be_bytes()).unwrap().as_str().unwrap().to_owned()
        };
        assert_eq!(timestamp(0, true), "2000-01-01T00:00:00Z");
        assert_eq!(timestamp(1_500_000, false), "2000-01-01T00:00:01.5");
        assert_eq!((timestamp(i64::MAX, true), timestamp(i64::MAX - 1, true)), ("infinity".into(), "out of range".into()));
        assert_eq!((date(366), date(-1)), ("2001-01-01".into(), "1999-12-31".into()));
        assert_eq!((time(3_661_000_001), time(86_400_000_000)), ("01:01:01.000001".into(), "24:00:00".into()));
        let raw = |micros: i64, days: i32, months: i32| {
            let bytes = [micros.to_be_bytes().as_slice(), &days.to_be_bytes(), &months.to_be_bytes()].concat();
            interval(bytes.try_into().unwrap())
        };
        assert_eq!(raw(14_706_500_000, 3, 14), "1 year 2 mons 3 days 04:05:06.5");
        assert_eq!((raw(0, 0, 0), raw(-1_000_000, 0, 0)), ("00:00:00".into(), "-00:00:01".into()));
    }

    #[test]
    fn arrays_nest_and_hold_nulls() {
        let mut raw = Vec::new();
        for word in [2, 1, 23, 2, 1, 2, 1, 4, 1, -1, 4, 3, 4, 4] {
            raw.extend_from_slice(&i32::to_be_bytes(word));
        }
        let value = decode(&Type::INT4_ARRAY, &raw).unwrap();
        assert_eq!(value.to_string(), "[[1,null],[3,4]]");
        assert!(decode(&Type::INT4_ARRAY, &raw[..raw.len() - 2]).is_err());
    }

    #[test]
    fn a_file_has_the_texts_of_the_values() {
        let folder = tempfile::tempdir().unwrap();
        let save = Save { path: folder.path().join("x.csv"), shown: "x.csv".to_owned(), keep: true };
        let (path, cancel) = (save.path.clone(), Cancel::default());
        let mut writer = RowWriter::begin(&save, &Cx::quiet(&cancel)).unwrap();
        let cells: [(Type, &[u8]); 11] = [
            (Type::BOOL, &[1]),
            (Type::INT2, &(-7i16).to_be_bytes()),
            (Type::INT4, &i32::MIN.to_be_bytes()),
            (Type::INT8, &i64::MIN.to_be_bytes()),
            (Type::NUMERIC, &words(&[2, 0, 0x4000, 2, 12, 3400])),
            (Type::TIMESTAMPTZ, &1_500_000i64.to_be_bytes()),
            (Type::TIMESTAMP, &(-1i64).to_be_bytes()),
            (Type::TIMESTAMP, &(i64::MAX - 1).to_be_bytes()),
            (Type::TEXT, b"a, \"b\""),
            (Type::VARCHAR, b"\xff"),
            (Type::DATE, &366i32.to_be_bytes()),
        ];
        for (ty, raw) in &cells {
            write(ty, raw, &mut writer).unwrap();
            writer.end_of_row().unwrap();
            writer.cell(&decode(ty, raw).unwrap());
            writer.end_of_row().unwrap();
        }
        writer.finish("rows").unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 * cells.len());
        assert!(lines.chunks(2).all(|pair| pair[0] == pair[1]), "{text}");
    }

    #[test]
    fn other_types_are_text() {
        assert_eq!(decode(&Type::INET, &[2, 24, 0, 4, 10, 0, 0, 1]).unwrap(), "10.0.0.1/24".into());
        assert_eq!(decode(&Type::INET, &[2, 32, 0, 4, 10, 0, 0, 1]).unwrap(), "10.0.0.1".into());
        assert_eq!(decode(&Type::BYTEA, b"\x00\xff").unwrap(), "\\x00ff".into());
        assert_eq!(decode(&Type::JSONB, b"\x01{\"a\":[1]}").unwrap().to_string(), r#"{"a":[1]}"#);
        assert_eq!(decode(&Type::FLOAT4, &0.1f32.to_be_bytes()).unwrap(), Value::Float(0.1));
        assert!(!is_known(&Type::POINT) && is_known(&Type::UUID_ARRAY));
    }
}
