//! BSON to values and back. What JSON lacks is written as MongoDB's extended JSON does: `#{ "$oid": "…" }`.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Decimal128, Document, Regex, Uuid};

use crate::model::{Failure, Kind, Map, Value};

/// A command as a document, its keys in their order.
pub(super) fn command(pairs: &[(String, Value)]) -> Result<Document, Failure> {
    pairs.iter().map(|(key, value)| Ok((key.to_string(), bson(value)?))).collect()
}

/// A value as BSON. Whole numbers are as short as they can be, as the shell has them.
fn bson(value: &Value) -> Result<Bson, Failure> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(b) => Bson::Boolean(*b),
        Value::Int(n) => i32::try_from(*n).map_or(Bson::Int64(*n), Bson::Int32),
        Value::Float(x) => Bson::Double(*x),
        Value::Str(s) => Bson::String(s.clone()),
        Value::List(items) => Bson::Array(items.iter().map(bson).collect::<Result<_, _>>()?),
        Value::Map(map) => match extended(map)? {
            Some(special) => special,
            None => Bson::Document(map.iter().map(|(key, value)| Ok((key.to_string(), bson(value)?))).collect::<Result<_, Failure>>()?),
        },
        Value::Secret(secret) => Bson::String(secret.expose().to_owned()),
        Value::Unsent(unsent) => return Err(crate::platform::failures::unsent(&unsent.function)),
    })
}

/// The types that extended JSON writes as a map with one key.
fn extended(map: &Map) -> Result<Option<Bson>, Failure> {
    let Some((key, value)) = map.first_key_value().filter(|_| map.len() == 1) else { return Ok(None) };
    let wrong = || Failure::bad_argument(format!("`{key}` cannot be {}", crate::model::text::short(&value.to_string(), 60)));
    let text = || value.as_str().ok_or_else(wrong);
    Ok(Some(match key.as_str() {
        "$oid" => Bson::ObjectId(ObjectId::parse_str(text()?).map_err(|_| wrong())?),
        "$date" => match value {
            Value::Int(millis) => Bson::DateTime(DateTime::from_millis(*millis)),
            Value::Map(_) => {
                let millis = value.str_at(&["$numberLong"]).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
                Bson::DateTime(DateTime::from_millis(millis))
            }
            _ => Bson::DateTime(DateTime::parse_rfc3339_str(text()?).map_err(|_| wrong())?),
        },
        "$numberDecimal" => Bson::Decimal128(text()?.parse::<Decimal128>().map_err(|_| wrong())?),
        "$numberLong" => Bson::Int64(match value {
            Value::Int(n) => *n,
            _ => text()?.parse().map_err(|_| wrong())?,
        }),
        "$numberInt" => Bson::Int32(match value {
            Value::Int(n) => i32::try_from(*n).map_err(|_| wrong())?,
            _ => text()?.parse().map_err(|_| wrong())?,
        }),
        "$numberDouble" => Bson::Double(match value {
            Value::Float(x) => *x,
            Value::Int(n) => *n as f64,
            _ => match text()? {
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                text => text.parse().map_err(|_| wrong())?,
            },
        }),
        "$binary" => {
            let part = |field: &str| value.str_at(&[field]).ok_or_else(wrong);
            let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, part("base64")?).map_err(|_| wrong())?;
            let subtype = u8::from_str_radix(part("subType")?, 16).map_err(|_| wrong())?;
            Bson::Binary(Binary { subtype: subtype.into(), bytes })
        }
        "$timestamp" => {
            let part = |field: &str| value.int_at(&[field]).and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong);
            Bson::Timestamp(mongodb::bson::Timestamp { time: part("t")?, increment: part("i")? })
        }
        "$minKey" => Bson::MinKey,
        "$maxKey" => Bson::MaxKey,
        "$uuid" => Bson::Binary(Binary::from_uuid(Uuid::parse_str(text()?).map_err(|_| wrong())?)),
        "$regularExpression" => {
            let part = |field: &str| value.str_at(&[field]).map(str::to_owned).ok_or_else(wrong);
            let regex = Regex {
                pattern: part("pattern")?.try_into().map_err(|_| wrong())?,
                options: part("options").unwrap_or_default().try_into().map_err(|_| wrong())?,
            };
            Bson::RegularExpression(regex)
        }
        _ => return Ok(None),
    }))
}

/// A reply as plain data: ids in hex, times in RFC 3339, decimals as text, binary in base64 (UUIDs as such).
///
/// `$clusterTime`, a signed timestamp of the cluster's own, is left out.
pub(super) fn reply(document: Document, budget: &mut usize) -> Result<Value, Failure> {
    let mut map = Map::new();
    for (key, item) in document {
        if key == "$clusterTime" {
            continue;
        }
        spend(budget, key.len())?;
        map.insert(key.into(), value(item, budget)?);
    }
    Ok(Value::Map(map))
}

fn spend(budget: &mut usize, bytes: usize) -> Result<(), Failure> {
    *budget = budget.checked_sub(bytes.saturating_add(8)).ok_or_else(|| {
        Failure::new(Kind::TooLarge, "the reply is larger than 8 MiB")
            .hint("ask for less: `limit`, `projection`, `$project`, `$group`, `count`")
    })?;
    Ok(())
}

fn value(bson: Bson, budget: &mut usize) -> Result<Value, Failure> {
    let text = |text: String, budget: &mut usize| spend(budget, text.len()).map(|()| Value::Str(text));
    spend(budget, 0)?;
    match bson {
        Bson::Double(x) => Ok(Value::Float(x)),
        Bson::String(s) | Bson::Symbol(s) | Bson::JavaScriptCode(s) => text(s, budget),
        Bson::JavaScriptCodeWithScope(code) => text(code.code, budget),
        Bson::Array(items) => items.into_iter().map(|item| value(item, budget)).collect::<Result<_, _>>().map(Value::List),
        Bson::Document(document) => reply(document, budget),
        Bson::Boolean(b) => Ok(Value::Bool(b)),
        Bson::Null | Bson::Undefined => Ok(Value::Null),
        Bson::Int32(n) => Ok(n.into()),
        Bson::Int64(n) => Ok(n.into()),
        Bson::RegularExpression(regex) => text(format!("/{}/{}", regex.pattern.as_str(), regex.options.as_str()), budget),
        Bson::Timestamp(stamp) => Ok(crate::map! { "t" => i64::from(stamp.time), "i" => i64::from(stamp.increment) }),
        Bson::Binary(binary) => match (binary.subtype, binary.bytes.as_slice().try_into()) {
            (BinarySubtype::Uuid, Ok(bytes)) => text(Uuid::from_bytes(bytes).to_string(), budget),
            _ => text(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &binary.bytes), budget),
        },
        Bson::ObjectId(id) => text(id.to_hex(), budget),
        Bson::DateTime(time) => text(time.try_to_rfc3339_string().unwrap_or_else(|_| format!("{} ms", time.timestamp_millis())), budget),
        Bson::Decimal128(decimal) => text(decimal.to_string(), budget),
        Bson::MaxKey => text("MaxKey".into(), budget),
        Bson::MinKey => text("MinKey".into(), budget),
        Bson::DbPointer(_) => text("DBPointer".into(), budget),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;
    use crate::map;

    #[test]
    fn commands_keep_their_order_and_extended_types() {
        let id = "65a000000000000000000001";
        let pairs = [
            ("find".to_owned(), Value::from("c")),
            ("filter".to_owned(), map! { "_id" => map! { "$oid" => id }, "n" => map! { "$gt" => 5_000_000_000_i64 } }),
            ("batchSize".to_owned(), Value::Int(2)),
        ];
        let document = command(&pairs).unwrap();
        assert_eq!(document.keys().collect::<Vec<_>>(), ["find", "filter", "batchSize"]);
        assert_eq!(document.get("batchSize"), Some(&Bson::Int32(2)));
        let filter = document.get_document("filter").unwrap();
        assert_eq!(filter.get_object_id("_id").unwrap().to_hex(), id);
        assert_eq!(filter.get_document("n").unwrap().get_i64("$gt").unwrap(), 5_000_000_000);
        assert!(command(&[("find".to_owned(), map! { "$oid" => "short" })]).is_err());
    }

    #[test]
    fn extended_json_names_each_type() {
        let kept = |value: Value| bson(&value).unwrap();
        let day = DateTime::from_millis(1_700_000_000_123);
        for (value, expected) in [
            (map! { "$date" => "2023-11-14T22:13:20.123Z" }, Bson::DateTime(day)),
            (map! { "$date" => 1_700_000_000_123_i64 }, Bson::DateTime(day)),
            (map! { "$date" => map! { "$numberLong" => "1700000000123" } }, Bson::DateTime(day)),
            (map! { "$numberLong" => "7" }, Bson::Int64(7)),
            (map! { "$numberInt" => "7" }, Bson::Int32(7)),
            (map! { "$numberDouble" => "7" }, Bson::Double(7.0)),
            (map! { "$numberDecimal" => "1.50" }, Bson::Decimal128("1.50".parse().unwrap())),
            (
                map! { "$binary" => map! { "base64" => "AQI=", "subType" => "00" } },
                Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] }),
            ),
            (map! { "$timestamp" => map! { "t" => 1, "i" => 2 } }, Bson::Timestamp(mongodb::bson::Timestamp { time: 1, increment: 2 })),
            (map! { "$minKey" => 1 }, Bson::MinKey),
        ] {
            assert_eq!(kept(value.clone()), expected, "{value}");
        }
        for wrong in [
            map! { "$numberInt" => 5_000_000_000_i64 },
            map! { "$binary" => "AQI=" },
            map! { "$date" => "today" },
            map! { "$numberDecimal" => 1.5 },
        ] {
            assert!(bson(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn replies_are_plain_data_within_bounds() {
        let time = DateTime::from_millis(1_700_000_000_123);
        let document = doc! { "a": [1_i32, 2_i64, 0.5, Bson::Null], "at": time, "d": "1.50".parse::<Decimal128>().unwrap(), "$clusterTime": { "x": 1 } };
        let found = reply(document, &mut 4096).unwrap();
        let list = vec![1.into(), 2.into(), 0.5.into(), Value::Null];
        assert_eq!(found, map! { "a" => list, "at" => "2023-11-14T22:13:20.123Z", "d" => "1.50" });
        assert_eq!(reply(doc! { "x": "y".repeat(5000) }, &mut 4096).unwrap_err().kind, Kind::TooLarge);
    }
}
