//! `watch`: how numbers grow over time.

use std::collections::BTreeMap;

use crate::call::{Body, Function};
use crate::map;
use crate::model::spec::{Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Map, Spec, Tier, Value};

/// The most samples of one call.
pub const MOST_SAMPLES: usize = 10_000;

/// The function. The engine calls its closures.
pub static WATCH: Function = Function {
    spec: Spec {
        name: "watch",
        group: Group::Flow,
        summary: "Samples what a closure answers over time and tells how it grew, with a live line on a terminal: `watch kubectl top pod`. A rehearsal takes one sample; a world waits for none.",
        params: &[Param {
            name: "sample",
            ty: Type::Closure,
            required: true,
            help: "answers a number, an array or map of numbers, or rows with numbers, such as `top_pods`; `()` is a gap",
        }],
        options: &[
            Opt { name: "every", ty: Type::Duration, default: "\"10s\"", help: "the time from one sample to the next, 10 ms at least" },
            Opt { name: "times", ty: Type::Int(1, MOST_SAMPLES as i64), default: "", help: "at most so many samples" },
            Opt {
                name: "duration",
                ty: Type::Duration,
                default: "",
                help: "samples are taken for so long, the first at once; `\"1m\"` where neither this nor `times` is said",
            },
            Opt { name: "stop_when", ty: Type::Closure, default: "", help: "gets each sample, and answers whether it was the last" },
        ],
        returns: "`#{ samples: [#{ at_ms, value }], series: [#{ key, field, first, last, min, max, growth, growth_percent, sparkline }], first, last, min, max, growth, growth_percent, sparkline }`; `series` has one entry for each number that is watched, the greatest growth in percent first: `key` is the row's name (`pod`, `name`, `service` …), the map's key or the place, `field` the row's field. The others are those of a single number, else `()`. `growth_percent` is `()` where the first is 0",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::TooLarge],
        examples: &[
            Example {
                title: "Whether memory leaks",
                code: "let seen = watch(|| top_pods(\"app=ai-gateway\")[0].memory_bytes, #{ every: \"10s\", duration: \"2m\" });\n[seen.samples.len(), seen.growth]",
                result: "[13,0]",
            },
            Example {
                title: "Until it is drained",
                code: "let left = 3;\nwatch(|| { left -= 1; left }, #{ every: \"1s\", stop_when: |queued| queued == 0 }).sparkline",
                result: "\"█▅▁\"",
            },
        ],
    },
    body: Body::Flow,
};

/// One sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Milliseconds since the first was asked for.
    pub at_ms: i64,
    /// What the closure answered.
    pub value: Value,
}

/// The name of a watched number: its row or key, and its field there.
type Name = (String, String);

/// Whether a sample has numbers, or may have.
pub fn check(value: &Value) -> Result<(), Failure> {
    let wrong = |what: &str| {
        Failure::bad_argument(format!("the closure of `watch` must answer numbers, not {what}"))
            .hint("a number, an array or map of numbers, or rows with numbers")
    };
    match value {
        Value::Null | Value::Int(_) | Value::Float(_) => Ok(()),
        Value::List(items) if items.is_empty() => Ok(()),
        Value::Map(map) if map.is_empty() => Ok(()),
        Value::List(_) | Value::Map(_) if !numbers(value).is_empty() => Ok(()),
        Value::List(_) => Err(wrong("an array without any")),
        Value::Map(_) => Err(wrong("a map without any")),
        other => Err(wrong(other.type_name())),
    }
}

/// The numbers of a sample by their names.
fn numbers(value: &Value) -> Vec<(Name, Value)> {
    let mut found: Vec<(Name, Value)> = Vec::new();
    let mut add = |key: String, field: String, value: &Value| {
        if matches!(value, Value::Int(_) | Value::Float(_)) {
            let taken = |name: &Name, found: &[(Name, Value)]| found.iter().any(|(other, _)| other == name);
            let mut name = (key.clone(), field.clone());
            // Two rows of one name are two all the same.
            for number in 2.. {
                if !taken(&name, &found) {
                    break;
                }
                name.0 = format!("{key}#{number}");
            }
            found.push((name, value.clone()));
        }
    };
    let fields = |row: &Map| row.iter().map(|(field, value)| (field.to_string(), value.clone())).collect::<Vec<_>>();
    match value {
        Value::List(items) => {
            for (place, item) in items.iter().enumerate() {
                match item {
                    Value::Map(row) => fields(row).iter().for_each(|(field, value)| add(called(row, place), field.clone(), value)),
                    other => add(format!("[{place}]"), String::new(), other),
                }
            }
        }
        Value::Map(map) => {
            for (key, item) in map.iter() {
                match item {
                    Value::Map(row) => fields(row).iter().for_each(|(field, value)| add(key.to_string(), field.clone(), value)),
                    other => add(key.to_string(), String::new(), other),
                }
            }
        }
        other => add(String::new(), String::new(), other),
    }
    found
}

/// What a row is about.
fn called(row: &Map, place: usize) -> String {
    const NAMES: [&str; 8] = ["pod", "name", "service", "node", "workload", "target", "key", "id"];
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    match (NAMES.into_iter().find_map(text), text("container")) {
        (Some(name), Some(container)) => format!("{name}/{container}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => format!("[{place}]"),
    }
}

/// The numbers that were watched, each over the samples that have it, in the order in which they came.
fn series(samples: &[Sample]) -> Vec<(Name, Vec<Value>)> {
    let mut all: Vec<(Name, Vec<Value>)> = Vec::new();
    let mut places: BTreeMap<Name, usize> = BTreeMap::new();
    for (name, value) in samples.iter().flat_map(|sample| numbers(&sample.value)) {
        let place = *places.entry(name.clone()).or_insert_with(|| {
            all.push((name, Vec::new()));
            all.len() - 1
        });
        all[place].1.push(value);
    }
    all
}

/// What the samples come to.
pub fn answer(samples: Vec<Sample>) -> Value {
    let all = series(&samples);
    let single = match &all[..] {
        [((key, field), values)] if key.is_empty() && field.is_empty() => Some(figures(values)),
        _ => None,
    };
    let mut rows: Vec<(Option<f64>, Value)> = all
        .into_iter()
        .map(|((key, field), values)| {
            let mut row = figures(&values);
            row.insert("key".into(), key.into());
            row.insert("field".into(), field.into());
            (row.get("growth_percent").and_then(Value::as_number), Value::Map(row))
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY)));
    let mut answer = single.unwrap_or_else(|| FIGURES.into_iter().map(|key| (key, Value::Null)).collect());
    answer.insert("series".into(), rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>().into());
    let samples = samples.into_iter().map(|sample| map! { "at_ms" => sample.at_ms, "value" => sample.value });
    answer.insert("samples".into(), samples.collect::<Vec<_>>().into());
    Value::Map(answer)
}

const FIGURES: [&str; 7] = ["first", "last", "min", "max", "growth", "growth_percent", "sparkline"];

/// What a number did; it was there at least once.
fn figures(values: &[Value]) -> Map {
    let number = |value: &Value| value.as_number().unwrap_or(f64::NAN);
    let least = values.iter().min_by(|a, b| number(a).total_cmp(&number(b))).cloned().unwrap_or_default();
    let greatest = values.iter().max_by(|a, b| number(a).total_cmp(&number(b))).cloned().unwrap_or_default();
    let (first, last) = (values.first().cloned().unwrap_or_default(), values.last().cloned().unwrap_or_default());
    let growth = match (&first, &last) {
        (Value::Int(first), Value::Int(last)) => {
            last.checked_sub(*first).map_or_else(|| (*last as f64 - *first as f64).into(), Value::from)
        }
        (first, last) => (number(last) - number(first)).into(),
    };
    let percent =
        (number(&first) != 0.0).then(|| (number(&last) - number(&first)) / number(&first).abs() * 100.0).filter(|x| x.is_finite());
    let spark = sparkline(&values.iter().map(number).collect::<Vec<_>>());
    let figures = [first, last, least, greatest, growth, percent.into(), spark.into()];
    FIGURES.into_iter().zip(figures).collect()
}

/// The most characters of a sparkline.
const WIDEST: usize = 60;

/// Numbers as eight heights of a bar, from the least to the greatest; of more than 60 neighbours share one, the greatest of them.
fn sparkline(numbers: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let finite = || numbers.iter().copied().filter(|number| number.is_finite());
    let (least, greatest) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let together = numbers.len().div_ceil(WIDEST).max(1);
    let bar = |some: &[f64]| {
        let number = some.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = if greatest > least { (number / 2.0 - least / 2.0) / (greatest / 2.0 - least / 2.0) } else { 0.0 };
        BARS[(share * 7.0).round().clamp(0.0, 7.0) as usize]
    };
    numbers.chunks(together).map(bar).collect()
}

/// The live line: the number that grew most, and how.
pub fn told(samples: &[Sample]) -> String {
    let all = series(samples);
    let percent = |values: &[Value]| figures(values).get("growth_percent").and_then(Value::as_number).unwrap_or(f64::NEG_INFINITY);
    let Some(((key, field), values)) = all.iter().max_by(|(_, a), (_, b)| percent(a).total_cmp(&percent(b))) else {
        return "no numbers yet".to_owned();
    };
    let figures = figures(values);
    let figure = |name: &str| figures.get(name).cloned().unwrap_or_default();
    let name = [key, field].into_iter().filter(|part| !part.is_empty()).map(|part| format!("{part} ")).collect::<String>();
    let growth = figure("growth_percent").as_number().map(|percent| format!(" {percent:+.1} %")).unwrap_or_default();
    let more = if all.len() > 1 { format!(" (and {} more)", all.len() - 1) } else { String::new() };
    format!("{name}{} {}{growth}{more}", figure("last"), figure("sparkline").as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: Vec<Value>) -> Value {
        answer(values.into_iter().zip(0..).map(|(value, n)| Sample { at_ms: n * 1000, value }).collect())
    }

    #[test]
    fn a_number_has_its_figures() {
        let seen = of(vec![100.into(), 400.into(), Value::Null, 150.into()]);
        let figures = FIGURES.map(|key| seen.get(key).unwrap().to_string()).join(" ");
        assert_eq!(figures, "100 150 100 400 50 50.0 \"▁█▂\"");
        assert_eq!(seen.at(&["samples"]).unwrap().as_list().unwrap().len(), 4);
        assert_eq!(of(vec![0.into(), 5.into()]).get("growth_percent"), Some(&Value::Null));
        assert_eq!(of(vec![i64::MIN.into(), i64::MAX.into()]).get("growth"), Some(&(i64::MAX as f64 - i64::MIN as f64).into()));
    }

    #[test]
    fn rows_are_followed_by_their_names_the_greatest_growth_first() {
        let row = |pod: &str, memory: i64| map! { "pod" => pod, "memory_bytes" => memory, "phase" => "Running" };
        let seen = of(vec![vec![row("a", 100), row("b", 100)].into(), vec![row("b", 150), row("a", 110), row("c", 7)].into()]);
        let rows = seen.at(&["series"]).unwrap().as_list().unwrap();
        let told: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} {}", row.str_at(&["key"]).unwrap(), row.str_at(&["field"]).unwrap(), row.get("growth").unwrap()))
            .collect();
        assert_eq!(told, ["b memory_bytes 50", "a memory_bytes 10", "c memory_bytes 0"]);
        assert_eq!(seen.get("first"), Some(&Value::Null));
        let samples = vec![
            Sample { at_ms: 0, value: vec![row("a", 100), row("b", 100)].into() },
            Sample { at_ms: 1, value: vec![row("a", 100), row("b", 125)].into() },
        ];
        assert_eq!(super::told(&samples), "b memory_bytes 125 ▁█ +25.0 % (and 1 more)");
    }

    #[test]
    fn maps_arrays_and_equal_names_are_told_apart() {
        let names = |value: Value| numbers(&value).into_iter().map(|((key, field), _)| format!("{key}.{field}")).collect::<Vec<_>>();
        assert_eq!(names(map! { "a" => 1, "b" => map! { "c" => 2.5, "d" => "x" } }), ["a.", "b.c"]);
        assert_eq!(
            names(vec![Value::from(1), map! { "n" => 1 }, map! { "name" => "x", "n" => 1 }, map! { "name" => "x", "n" => 2 }].into()),
            ["[0].", "[1].n", "x.n", "x#2.n"]
        );
    }

    #[test]
    fn sparklines_have_eight_heights_and_a_width() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[5.0, 5.0]), "▁▁");
        assert_eq!(sparkline(&[f64::MIN, f64::MAX, f64::NAN]), "▁█▁");
        assert_eq!(sparkline(&(0..1000).map(f64::from).collect::<Vec<_>>()).chars().count(), 59);
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn what_has_no_numbers_is_refused() {
        for value in ["x".into(), true.into(), vec![Value::from("x")].into(), map! { "a" => "x" }] {
            assert!(check(&value).unwrap_err().message.starts_with("the closure of `watch` must answer numbers, not "), "{value}");
        }
        assert!([Value::Null, vec![].into(), map! {}, 1.5.into()].iter().all(|value| check(value).is_ok()));
    }
}
