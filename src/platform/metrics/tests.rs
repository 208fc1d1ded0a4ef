use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::map;
use crate::model::operation::HttpRequest;

const PROMETHEUS: &str = "text/plain; version=0.0.4";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn query(name: Option<&str>, labels: &[(&str, &str)], limit: u64) -> MetricsQuery {
    let request = HttpRequest {
        service: Some("api".into()),
        method: "GET",
        url: "http://api:8080/metrics".into(),
        headers: vec![],
        body: None,
        ok_status: None,
        seal: vec![],
        save: None,
        timeout: Duration::from_secs(1),
    };
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    MetricsQuery { request, name: name.map(str::to_owned), labels, limit }
}

fn read(query: &MetricsQuery, content_type: &str, parts: &[&[u8]]) -> Result<Vec<Value>, Failure> {
    let mut parser = Parser::new(query, content_type);
    for part in parts {
        parser.write(part)?;
    }
    parser.finish().map(|value| value.as_list().unwrap().to_vec())
}

fn all(content_type: &str, text: &str) -> Result<Vec<Value>, Failure> {
    read(&query(None, &[], 1000), content_type, &[text.as_bytes()])
}

fn one(text: &str) -> Value {
    all(PROMETHEUS, text).unwrap().pop().unwrap()
}

/// The example of Prometheus' own documentation.
const EXPOSITION: &str = r#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# HELP rpc_duration_seconds A summary of the RPC duration in seconds.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} 3102
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
"#;

#[test]
fn the_documentations_example_is_read() {
    let samples = all(PROMETHEUS, EXPOSITION).unwrap();
    assert_eq!(samples.len(), 12);
    assert_eq!(
        samples[0],
        map! {
            "name" => "http_requests_total", "labels" => map! { "method" => "post", "code" => "200" }, "value" => 1027.0,
            "type" => "counter", "help" => "The total number of HTTP requests.", "timestamp_ms" => 1_395_066_363_000_i64,
        }
    );
    assert_eq!(samples[2].str_at(&["labels", "error"]), Some("Cannot find file:\n\"FILE.TXT\""));
    assert_eq!(samples[2].str_at(&["labels", "path"]), Some("C:\\DIR\\FILE.TXT"));
    assert_eq!((samples[3].get("help"), samples[3].str_at(&["type"])), (None, Some("untyped")));
    assert_eq!((samples[4].get("value"), samples[4].int_at(&["timestamp_ms"])), (Some(&Value::Float(f64::INFINITY)), Some(-3_982_045)));
    let kinds: Vec<&str> = samples[5..].iter().filter_map(|sample| sample.str_at(&["type"])).collect();
    assert_eq!(kinds, ["histogram", "histogram", "histogram", "histogram", "summary", "summary", "summary"]);
}

#[test]
fn a_family_is_found_by_its_name_and_a_sample_by_its_own() {
    let found = |name, labels: &[_]| read(&query(Some(name), labels, 1000), PROMETHEUS, &[EXPOSITION.as_bytes()]).unwrap().len();
    assert_eq!(found("http_request_duration_seconds", &[]), 4);
    assert_eq!(found("http_request_duration_seconds_bucket", &[]), 2);
    assert_eq!(found("http_request_duration_seconds", &[("le", "+Inf")]), 1);
    assert_eq!(found("http_requests_total", &[("method", "post"), ("code", "500")]), 0);
    assert_eq!(found("http_requests", &[]), 0);
}

#[test]
fn open_metrics_has_exemplars_seconds_and_an_end() {
    let text = "# TYPE foo counter\n# UNIT foo seconds\nfoo_total{a=\"b\"} 17 1520879607.789 # {trace_id=\"x # y\"} 0.5 1520879607\nfoo_created 5\n# TYPE up stateset\nup{up=\"ok\"} 1\n# EOF\n";
    let samples = all(OPEN, text).unwrap();
    assert_eq!(samples[0].int_at(&["timestamp_ms"]), Some(1_520_879_607_789));
    let kinds: Vec<&str> = samples.iter().filter_map(|sample| sample.str_at(&["type"])).collect();
    assert_eq!(kinds, ["counter", "counter", "stateset"]);
    assert!(all(OPEN, "a 1\n").unwrap_err().message.contains("does not end in `# EOF`"));
    assert!(all(OPEN, "a 1\n# EOF\nb 2\n").unwrap_err().message.contains("line 3 cannot be read: it stands behind `# EOF`"));
    assert_eq!(all(PROMETHEUS, "a 1\n# EOF\nb 2").unwrap().len(), 2, "a comment elsewhere");
}

#[test]
fn values_and_names_of_all_sorts() {
    assert!(matches!(one("a NaN").get("value"), Some(Value::Float(value)) if value.is_nan()));
    for (text, value) in [("a -Inf", f64::NEG_INFINITY), ("a\t+inf\r\n", f64::INFINITY), ("a{} 1e-3", 0.001), ("  a { } .5", 0.5)] {
        assert_eq!(one(text).get("value"), Some(&Value::Float(value)), "{text}");
    }
    let quoted = one("{\"my.metric\", \"my label\" = \"{#,}\",} 1");
    assert_eq!((quoted.str_at(&["name"]), quoted.str_at(&["labels", "my label"])), (Some("my.metric"), Some("{#,}")));
    assert_eq!(one("ns:rule{a=\"ü\"} 1").str_at(&["labels", "a"]), Some("ü"));
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    for (text, says) in [
        ("a 1\nb", "line 2 cannot be read: it has no value: b"),
        ("a", "line 1 cannot be read: it has no value"),
        ("a x", "\"x\" is no number"),
        ("a 1 x", "\"x\" is no timestamp"),
        ("a 1 1.5", "\"1.5\" is no timestamp"),
        ("a 1 2 3", "\"3\" stands behind its timestamp"),
        ("0a 1", "it does not begin with a metric's name"),
        ("<html> 1", "it does not begin with a metric's name"),
        ("a{b} 1", "a label has no `=`"),
        ("a{b=c} 1", "a label's value is not in quotes"),
        ("a{b=\"c} 1", "a quote is not closed"),
        ("a{b=\"c\" 1", "its labels are not closed by `}`"),
        ("a{b=\"c\",b=\"d\"} 1", "the label \"b\" stands there twice"),
        ("a{b=\"\\x\"} 1", "`\\x` is no escape"),
        ("a{1=\"b\"} 1", "its labels hold what is no label's name"),
        ("a{\"b\"} 1", "it has two names"),
        ("{} 1", "it names no metric"),
        ("# TYPE a thing", "`# TYPE` names no known type"),
        ("# TYPE", "names no"),
        ("a 1 # x", "its exemplar: it does not begin with labels"),
        ("a 1 # {b=\"c\"} x", "its exemplar: \"x\" is no number"),
    ] {
        let failure = all(PROMETHEUS, text).unwrap_err();
        assert!(failure.message.starts_with("api/metrics: line ") && failure.message.contains(says), "{text}: {}", failure.message);
        assert_eq!(failure.kind, Kind::Failed);
    }
    assert!(read(&query(None, &[], 9), PROMETHEUS, &[b"a \xff\n"]).unwrap_err().message.contains("line 1 cannot be read: it is not UTF-8"));
    let long = vec![b'a'; LONGEST + 1];
    assert!(read(&query(None, &[], 9), PROMETHEUS, &[&long]).unwrap_err().message.contains("longer than 64 KiB"));
    assert!(read(&query(None, &[], 9), PROMETHEUS, &[&long, b"\n"]).is_err());
}

#[test]
fn too_many_are_too_large_and_what_is_dropped_counts_not() {
    let text: String = (0..50).map(|n| format!("a{{n=\"{n}\"}} {n}\n")).collect();
    let failure = read(&query(None, &[], 49), PROMETHEUS, &[text.as_bytes()]).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::TooLarge, "api/metrics has more than 49 such samples"));
    assert_eq!(read(&query(None, &[], 50), PROMETHEUS, &[text.as_bytes()]).unwrap().len(), 50);
    assert_eq!(read(&query(None, &[("n", "7")], 1), PROMETHEUS, &[text.as_bytes()]).unwrap().len(), 1);
    let help = format!("# HELP a {}\n", "x".repeat(60 << 10));
    let wide = format!("{help}{}", "a 1\n".repeat(200));
    assert!(all(PROMETHEUS, &wide).unwrap_err().message.contains("more than 8 MiB"));
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_whatever_parts(
        labels in proptest::collection::btree_map("[a-z_][a-z0-9_]{0,8}", any::<String>().prop_map(|text| text.replace('\r', "")), 0..4),
        value in any::<f64>(),
        timestamp in proptest::option::of(any::<i64>()),
        cut in 0usize..200,
    ) {
        let written: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let stamp = timestamp.map(|stamp| format!(" {stamp}")).unwrap_or_default();
        let text = format!("# TYPE m gauge\nm{{{}}} {value:?}{stamp}\n", written.join(","));
        let cut = cut.min(text.len());
        let samples = read(&query(Some("m"), &[], 1), PROMETHEUS, &[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]).unwrap();
        let found = samples[0].get("labels").and_then(Value::as_map).unwrap();
        prop_assert_eq!(found.len(), labels.len());
        for (name, value) in &labels {
            prop_assert_eq!(found.get(name.as_str()).and_then(Value::as_str), Some(value.as_str()));
        }
        let Some(Value::Float(read)) = samples[0].get("value") else { panic!("no value") };
        prop_assert!(*read == value || (read.is_nan() && value.is_nan()));
        prop_assert_eq!(samples[0].int_at(&["timestamp_ms"]), timestamp);
    }

    #[test]
    fn nothing_makes_it_panic(text in any::<Vec<u8>>(), line in "[a{}\"=,# \\\\n0-9.]{0,40}") {
        let _ = read(&query(None, &[], 10), OPEN, &[&text]);
        let _ = all(PROMETHEUS, &line);
    }
}
