//! Every code that `runbook check` can answer, numbered once: a number is never used again, whatever becomes of its code.

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The script would fail, or do something else than it says.
    Error,
    /// The script runs; somebody should look at it.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A kind of finding. Examples are checked with the project of this repository, and below a header where they show none.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The number: `RB003`.
    pub id: &'static str,
    /// The name in words: `unknown-function`.
    pub name: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What it means, and why it matters.
    pub summary: &'static str,
    /// A script that has it, and nothing else.
    pub example: &'static str,
    /// The same script, corrected.
    pub remedy: &'static str,
}

const fn error(id: &'static str, name: &'static str, summary: &'static str, example: &'static str, remedy: &'static str) -> Code {
    Code { id, name, severity: Severity::Error, summary, example, remedy }
}

const fn warning(id: &'static str, name: &'static str, summary: &'static str, example: &'static str, remedy: &'static str) -> Code {
    Code { id, name, severity: Severity::Warning, summary, example, remedy }
}

/// The code of that number or name.
pub fn find(text: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|code| code.id.eq_ignore_ascii_case(text) || code.name == text)
}

macro_rules! codes {
    ($($constant:ident = $kind:ident($($part:expr),+ $(,)?);)+) => {
        $(#[allow(missing_docs, reason = "the summary says it")] pub const $constant: &Code = &$kind($($part),+);)+
        /// All codes, in the order of their numbers.
        pub const CODES: &[&Code] = &[$($constant),+];
    };
}

codes! {
    SYNTAX = error(
        "RB001", "syntax",
        "The script does not parse. The rest of it is not checked.",
        r#"note("hello";"#,
        r#"note("hello");"#,
    );
    UNKNOWN_VARIABLE = error(
        "RB002", "unknown-variable",
        "There is no variable of that name at this place. Text stands in quotes; functions see none of the script's variables.",
        r#"let result = nodes();
show(reslut);"#,
        r#"let result = nodes();
show(result);"#,
    );
    UNKNOWN_FUNCTION = error(
        "RB003", "unknown-function",
        "There is no function of that name: neither of the host, nor of the script, of a module or of Rhai.",
        r#"shwo(nodes());"#,
        r#"show(nodes());"#,
    );
    ARGUMENT_COUNT = error(
        "RB004", "argument-count",
        "A function is called with too few or too many arguments.",
        r#"note("disk", "full");"#,
        r#"note("disk full");"#,
    );
    ARGUMENT_TYPE = error(
        "RB005", "argument-type",
        "An argument or an option is of another type than the function takes.",
        r#"check("the gateway is down", http_health("api-gateway").ok);"#,
        r#"check(http_health("api-gateway").ok, "the gateway is down");"#,
    );
    OUT_OF_RANGE = error(
        "RB006", "out-of-range",
        "A number is less or greater than the function takes.",
        r#"show(logs("api-gateway", #{ tail: 0 }));"#,
        r#"show(logs("api-gateway", #{ tail: 100 }));"#,
    );
    DURATION = error(
        "RB007", "duration",
        "A duration has no unit, or none that is known: it reads \"250ms\", \"30s\", \"5m\", \"1m30s\", \"2h\", \"1d\".",
        r#"wait_ready("api-gateway", #{ timeout: 30 });"#,
        r#"wait_ready("api-gateway", #{ timeout: "30s" });"#,
    );
    REGEX = error(
        "RB008", "regex",
        "A regular expression is not one.",
        r#"show(logs("api-gateway", #{ grep: "(error" }));"#,
        r#"show(logs("api-gateway", #{ grep: "(error|timeout)" }));"#,
    );
    CHOICE = error(
        "RB009", "choice",
        "A word is none of those that an option takes.",
        r#"show(top_pods("api-gateway", #{ sort_by: "mem" }));"#,
        r#"show(top_pods("api-gateway", #{ sort_by: "memory" }));"#,
    );
    UNKNOWN_OPTION = error(
        "RB010", "unknown-option",
        "A function or a step has no option of that name.",
        r#"wait_ready("api-gateway", #{ timeot: "2m" });"#,
        r#"wait_ready("api-gateway", #{ timeout: "2m" });"#,
    );
    UNKNOWN_MODULE = error(
        "RB011", "unknown-module",
        "A module cannot be imported, or is used under a name that it was not imported under.",
        r#"import "std/helth" as health;
show(health::down(services()));"#,
        r#"import "std/health" as health;
show(health::down(services()));"#,
    );
    BAD_TARGET = error(
        "RB012", "bad-target",
        "A target does not read as one, or is of a kind that there is not.",
        r#"show(get("deploymnt/api-gateway"));"#,
        r#"show(get("deployment/api-gateway"));"#,
    );
    WRONG_KIND = error(
        "RB013", "wrong-kind",
        "A target is of a kind that the function does not take.",
        r#"show(rollout_status("app=api-gateway"));"#,
        r#"show(rollout_status("deployment/api-gateway"));"#,
    );
    UNDECLARED_WORKLOAD = warning(
        "RB014", "undeclared-workload",
        "A target is neither a service nor a database of runbook.toml, nor the workload of one, and one that is has nearly that \
         name.",
        r#"show(rollout_status("api-gatway"));"#,
        r#"show(rollout_status("api-gateway"));"#,
    );
    UNKNOWN_SERVICE = error(
        "RB015", "unknown-service",
        "A service is not in runbook.toml.",
        r#"show(http_health("api-gatway"));"#,
        r#"show(http_health("api-gateway"));"#,
    );
    UNDECLARED_URL = error(
        "RB016", "undeclared-url",
        "No environment allows this URL: it would be denied. Requests go to declared services and to what `allow` lists.",
        r#"show(http_get("https://status.example.com/api").body);"#,
        r#"show(http_get("api-gateway/health").body);"#,
    );
    UNKNOWN_DATABASE = error(
        "RB017", "unknown-database",
        "A database is in no environment of runbook.toml.",
        r#"show(sql("postgress", "SELECT 1"));"#,
        r#"show(sql("postgres", "SELECT 1"));"#,
    );
    WRONG_PROTOCOL = error(
        "RB018", "wrong-protocol",
        "A database is asked in another language than its own.",
        r#"show(sql("mongodb", "SELECT 1"));"#,
        r#"show(mongo("mongodb", #{ ping: 1 }));"#,
    );
    UNKNOWN_CHANNEL = error(
        "RB019", "unknown-channel",
        "A channel is in no environment of runbook.toml.",
        r#"notify("incident", "The gateway answers again.");"#,
        r#"notify("incidents", "The gateway answers again.");"#,
    );
    UNKNOWN_SEVERITY = error(
        "RB020", "unknown-severity",
        "A severity is not in runbook.toml.",
        r#"notify("incidents", "The gateway is down.", #{ severity: "critical" });"#,
        r#"notify("incidents", "The gateway is down.", #{ severity: "P0" });"#,
    );
    UNKNOWN_PARAMETER = error(
        "RB021", "unknown-parameter",
        "The header has no parameter of that name.",
        r#"let params = runbook(#{ title: "Example", params: #{ replicas: #{ type: "int", default: 3 } } });
note(`${params.replicsa} replicas`);"#,
        r#"let params = runbook(#{ title: "Example", params: #{ replicas: #{ type: "int", default: 3 } } });
note(`${params.replicas} replicas`);"#,
    );
    SQL_WRITES = error(
        "RB022", "sql-writes",
        "`sql` takes one statement that only reads. A change is `sql_execute`.",
        r#"show(sql("postgres", "DELETE FROM sessions"));"#,
        r#"show(sql("postgres", "SELECT count(*) FROM sessions"));"#,
    );
    MONGO_WRITES = error(
        "RB023", "mongo-writes",
        "`mongo` takes one command that only reads, down to the last stage of a pipeline. A change is `mongo_execute`.",
        r#"show(mongo("mongodb", #{ aggregate: "content", pipeline: [#{ "$out": "copy" }] }));"#,
        r#"show(mongo("mongodb", #{ aggregate: "content", pipeline: [#{ "$count": "n" }] }));"#,
    );
    REDIS_WRITES = error(
        "RB024", "redis-writes",
        "`redis` takes one command that only reads, and does not block the server. A change is `redis_execute`.",
        r#"show(redis("redis", ["KEYS", "*"]));"#,
        r#"show(redis("redis", ["DBSIZE"]));"#,
    );
    SQL_INTERPOLATION = warning(
        "RB025", "sql-interpolation",
        "Values stand in the text of a statement, where they may end it or go on with it. The server binds `params` safely.",
        r#"let id = 7;
show(sql("postgres", `SELECT * FROM sessions WHERE id = ${id}`));"#,
        r#"let id = 7;
show(sql("postgres", "SELECT * FROM sessions WHERE id = $1", #{ params: [id] }));"#,
    );
    HIDES_FUNCTION = error(
        "RB026", "hides-function",
        "A function of the script bears a host function's name, and would be called instead of it.",
        r#"fn show(value) { note(`${value}`); }"#,
        r#"fn tell(value) { note(`${value}`); }"#,
    );
    LOST_WRITE = error(
        "RB027", "lost-write",
        "The branches of `parallel` get copies of the variables outside of them: what they write is lost. What they answer is not.",
        r#"let done = [];
parallel([|| done.push(http_health("billing").ok), || done.push(http_health("consent").ok)]);
show(done);"#,
        r#"let done = parallel([|| http_health("billing").ok, || http_health("consent").ok]);
show(done);"#,
    );
    REFUSED_FUNCTION = error(
        "RB028", "refused-function",
        "Rhai has a function of that name, and runbooks have not: it could not be replayed, or not say how the run ended.",
        r#"exit(1);"#,
        r#"abort("nothing is left to do");"#,
    );
    HEADER = error(
        "RB029", "header",
        "The header cannot be read: it is one map of literals with a title, and each parameter has a type that its default fits.",
        r#"runbook(#{ titel: "Example", title: "Example" });"#,
        r#"runbook(#{ title: "Example" });"#,
    );
    MISSING_HEADER = warning(
        "RB030", "missing-header",
        "A script does not begin with `runbook(#{ title: … })`: nobody can tell from the record what it was for.",
        "note(\"hello\");\n// no `runbook(#{ … })` before this",
        "runbook(#{ title: \"Example\" });\nnote(\"hello\");",
    );
    BAD_DATE = error(
        "RB031", "bad-date",
        "A date of the header is none, or says that the runbook was tested in the future.",
        r#"runbook(#{ title: "Example", last_tested: "01.12.2025" });"#,
        r#"runbook(#{ title: "Example", last_tested: "2025-12-01" });"#,
    );
    STALE_TEST = warning(
        "RB032", "stale-test",
        "The runbook was last tested longer ago than `tested_within` of [policy] in runbook.toml allows, or does not say when.",
        r#"runbook(#{ title: "Example", last_tested: "2025-03-01" });"#,
        r#"runbook(#{ title: "Example", last_tested: "2025-12-01" });"#,
    );
    OVERDUE_DRILL = warning(
        "RB033", "overdue-drill",
        "The day of the next drill is over.",
        r#"runbook(#{ title: "Example", last_tested: "2025-12-01", next_drill: "2025-12-15" });"#,
        r#"runbook(#{ title: "Example", last_tested: "2025-12-01", next_drill: "2026-03-01" });"#,
    );
    OUTSIDE_STEP = warning(
        "RB034", "outside-step",
        "A change stands outside of every step: the record has no name for it, and no rollback is offered.",
        r#"scale("billing", 4);"#,
        r#"step "Scale" {
    scale("billing", 4);
}"#,
    );
    NO_WAY_BACK = warning(
        "RB035", "no-way-back",
        "A step makes a change that cannot be taken back by itself, and does not say what happens when the run fails: a rollback \
         block of its own, or `rollback: \"never\"`.",
        r#"step "Restart" {
    restart("billing");
}"#,
        r#"step "Restart" #{ rollback: "never" } {
    restart("billing");
}"#,
    );
    ALLOW_WITHOUT_REASON = error(
        "RB036", "allow-without-reason",
        "A comment allows a finding and does not say why. It reads `// allow(RB034): reason`, on the line before or at the end of \
         the line.",
        r#"scale("billing", 4); // allow(RB034)"#,
        r#"scale("billing", 4); // allow(RB034): a first example, without steps"#,
    );
    UNKNOWN_CODE = error(
        "RB037", "unknown-code",
        "A comment allows a finding that there is not.",
        r#"note("hello"); // allow(RB999): we know"#,
        r#"note("hello");"#,
    );
    UNUSED_ALLOW = warning(
        "RB038", "unused-allow",
        "A comment allows a finding that is not there (any more).",
        r#"note("hello"); // allow(RB034): we know"#,
        r#"note("hello");"#,
    );
    UNKNOWN_FIELD = error(
        "RB039", "unknown-field",
        "The answer of a function has no field of that name.",
        r#"check(http_health("api-gateway").latency < 100, "the gateway is slow");"#,
        r#"check(http_health("api-gateway").latency_ms < 100, "the gateway is slow");"#,
    );
    IMPORT_CYCLE = error(
        "RB040", "import-cycle",
        "Modules import one another in a circle. (The example stands in `example.rhai`.)",
        r#"import "example" as example;"#,
        r#"import "std/health" as health;"#,
    );
}
