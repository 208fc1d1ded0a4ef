//! A laptop's point of view: no service's name resolves here, and everything is reached through the real API server's
//! port-forward, whose other end kwok leads to the real databases and the stand-in.

use std::fs;

use serde_json::json;

use crate::services::kubectl;
use crate::support::{Project, Proxy, Real, Slot, api_server, namespace, variable};

/// A StatefulSet of one pod, its Service, and where the pod's ports lead to.
fn system(namespace: &str, name: &str, service: &str, forwards: &[(u16, &str)]) -> String {
    let forward = |(port, to): &(u16, &str)| {
        let (address, at) = to.rsplit_once(':').unwrap();
        format!("{{ ports: [{port}], target: {{ address: {address}, port: {at} }} }}")
    };
    let forwards: Vec<String> = forwards.iter().map(forward).collect();
    format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{ name: {name}, namespace: {namespace} }}\nspec:\n  replicas: 1\n  serviceName: {name}\n  \
         selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    spec:\n      containers:\n      \
         - {{ name: main, image: \"registry.example/x:1\", ports: [ {{ name: main, containerPort: 8080 }} ] }}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {namespace} }}\nspec: {service}\n---\n\
         apiVersion: kwok.x-k8s.io/v1alpha1\nkind: PortForward\nmetadata: {{ name: {name}-0, namespace: {namespace} }}\n\
         spec: {{ forwards: [ {} ] }}\n---\n",
        forwards.join(", ")
    )
}

/// A Service's `spec` with these ports: `(port, target port)`.
fn ports(name: &str, ports: &[(u16, &str)]) -> String {
    let port = |(port, target): &(u16, &str)| format!("{{ name: p{port}, port: {port}, targetPort: {target} }}");
    let ports: Vec<String> = ports.iter().map(port).collect();
    format!("{{ selector: {{ app: {name} }}, ports: [ {} ] }}", ports.join(", "))
}

/// Makes systems in a new namespace and waits until their pods are ready.
#[track_caller]
fn applied(project: &Project, own: &str, manifest: &str) {
    project.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {own} }}\n---\n{manifest}"));
    kubectl(&["-n", own, "wait", "--for=jsonpath={.status.readyReplicas}=1", "statefulset", "--all", "--timeout=60s"]);
}

const FORWARDED: &str = "reach = \"port-forward\"";

#[test]
fn each_system_is_reached_by_its_name_in_the_cluster() {
    let own = namespace("tunnels");
    let slot = Slot::new(
        &json!({ "GET /health": {}, "GET /near": { "redirect": "/end" }, "GET /end": { "body": "here" }, "POST /orders": { "status": 201 } }),
    );
    let direct = Slot::new(&json!({ "GET /x": { "body": "direct" } }));
    let ca = variable("RUNBOOK_TEST_CA");
    let secret = |name: &str| format!("password = {{ env = \"{name}\" }}");
    let manifest = [
        system(&own, "api", &ports("api", &[(80, "main")]), &[(8080, &slot.address)]),
        system(
            &own,
            "postgres",
            "{ clusterIP: None, selector: { app: postgres }, ports: [ { name: pg, port: 5432 } ] }",
            &[(5432, &variable("RUNBOOK_TEST_POSTGRES"))],
        ),
        system(&own, "redis", &ports("redis", &[(6379, "6379")]), &[(6379, &variable("RUNBOOK_TEST_REDIS"))]),
        system(
            &own,
            "mongodb",
            "{ clusterIP: None, selector: { app: mongodb }, ports: [ { name: m, port: 27017 } ] }",
            &[(27017, &variable("RUNBOOK_TEST_MONGO"))],
        ),
        system(
            &own,
            "tls-by-name",
            &ports("tls-by-name", &[(5432, "5432"), (6380, "6380"), (8443, "8443")]),
            &[(5432, &variable("RUNBOOK_TEST_POSTGRES")), (6380, &variable("RUNBOOK_TEST_REDIS_TLS")), (8443, &api_server())],
        ),
        system(&own, "tls-by-other", &ports("tls-by-other", &[(6380, "6380")]), &[(6380, &variable("RUNBOOK_TEST_REDIS_TLS"))]),
    ];
    let rediss = |host: &str| format!("url = \"rediss://{host}:6380\"\nca = {ca:?}\n{}", secret("REDIS_PASSWORD"));
    let project = Real::new("tunnels")
        .line(FORWARDED)
        .line(&format!("allow = [\"http://{}/\"]", direct.address))
        .service("api", "api")
        .service("whole", &format!("api.{own}.svc.cluster.local"))
        .service("encrypted", "tls-by-name:8443")
        .table("services.encrypted", "url = \"https://tls-by-name:8443\"")
        .postgres("postgres-0.postgres:5432")
        .redis("redis:6379")
        .mongo(&format!("mongodb-0.mongodb.{own}.svc:27017"))
        .table(
            "databases.pg-tls",
            &format!(
                "url = \"postgres://ops@tls-by-name:5432/therapeutic_ai?sslmode=verify-full\"\nca = {ca:?}\n{}",
                secret("OPS_PASSWORD")
            ),
        )
        .table("databases.redis-tls", &rediss("tls-by-name"))
        .table("databases.redis-other", &rediss("tls-by-other"))
        .project()
        .env("SSL_CERT_FILE", &ca);
    applied(&project, &own, &manifest.concat());
    let script = format!(
        r#"
        check(http_health("api").ok, "health");
        check(http_health("whole").ok, "the whole name");
        check(http_get("api/near").body == "here", "a redirect");
        check(tcp_check("api:80").ok, "a connection");
        check(http_post("api/orders", #{{ a: 1 }}).status == 201, "a change");
        check(http_get("encrypted/version").body.major == "1", "TLS for the name");
        check(http_get("http://{}/x").body == "direct", "what is no Service");
        check(sql("postgres", "SELECT 1 AS one")[0].one == 1, "SQL");
        check(sql("pg-tls", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0].ssl, "SQL over TLS");
        check(redis("redis", ["PING"]) == "PONG", "Redis");
        check(redis("redis-tls", ["PING"]) == "PONG", "Redis over TLS");
        check(mongo("mongodb", #{{ count: "nothing-there" }}) == 0, "Mongo");
        try {{ redis("redis-other", ["PING"]) }} catch(e) {{ note(e.kind + ": " + e.message); }}
        let once = http_get("api/end"); let again = http_get("api/end");
        check(again.timings.get("connect_ms") == (), "the tunnel is kept");
        "#,
        direct.address
    );
    let ran = project.really(&script).status(0);
    let ran =
        ran.stderr_has("unavailable: the database `redis-other` at tls-by-other:6380 cannot be reached: TLS: invalid peer certificate");
    let asked = slot.requests();
    let hosts: Vec<&str> = asked.iter().map(|request| request["host"].as_str().unwrap()).collect();
    let whole = format!("api.{own}.svc.cluster.local");
    assert_eq!(hosts, ["api", whole.as_str(), "api", "api", "api", "api", "api"], "the name stays in the request\n{ran}");
    assert_eq!(asked[4]["body"], json!({ "a": 1 }).to_string(), "{asked:?}");

    each_database_is_changed_and_read(&project);
    by_hand(&project, &own, &slot);
    programs_are_handed_sockets(&project, &own);
    let doctor = project.run(["doctor"]).stdout_has("through port-forwards: api, encrypted, whole, mongodb, pg-tls, postgres, redis");
    doctor.stdout_has(&format!("may create and get pods/portforward -n {own}"));
}

/// One script for each database: what it writes through a tunnel it reads through one.
fn each_database_is_changed_and_read(project: &Project) {
    let name = format!("laptop_{}", std::process::id());
    for script in [
        r#"
        sql_execute("postgres", "CREATE TABLE NAME (n int)");
        sql_execute("postgres", "INSERT INTO NAME SELECT generate_series(1, $1::int)", #{ params: [7] });
        let many = sql("postgres", "SELECT n FROM NAME ORDER BY n", #{ save: "rows.csv" });
        check(many.rows == 7 && sql("postgres", "SELECT count(*) AS n FROM NAME")[0].n == 7, "rows");
        sql_execute("postgres", "DROP TABLE NAME");
        "#,
        r#"
        redis_execute("redis", ["RPUSH", "NAME", "a", "b"]);
        check(redis("redis", ["LRANGE", "NAME", 0, -1]) == ["a", "b"], "a list");
        redis_execute("redis-tls", ["DEL", "NAME"]);
        check(redis("redis", ["EXISTS", "NAME"]) == 0, "it is gone");
        "#,
        r#"
        mongo_execute("mongodb", #{ insert: "NAME", documents: [#{ _id: 1 }, #{ _id: 2 }] });
        check(mongo("mongodb", #{ find: "NAME", sort: #{ _id: 1 } }).map(|it| it._id) == [1, 2], "documents");
        mongo_execute("mongodb", #{ drop: "NAME" });
        "#,
    ] {
        project.really(&script.replace("NAME", &name)).status(0);
    }
}

/// What `command` gives a program of this machine.
fn programs_are_handed_sockets(project: &Project, own: &str) {
    let ran = project.really(
        r#"
        let sql = command(["psql", "-Atc", "SELECT current_user || ' ' || current_database()"],
            #{ tunnels: ["postgres"], env: #{ PGPASSWORD: env("OPS_PASSWORD") } });
        check(sql.stdout == "ops therapeutic_ai\n", sql.stdout);
        let redis = |name, variable| command(["sh", "-c", "redis-cli -s $" + variable + " PING"],
            #{ tunnels: [name], env: #{ REDISCLI_AUTH: env("REDIS_PASSWORD") } }).stdout;
        check(redis.call("redis", "RUNBOOK_TUNNEL_REDIS") == "PONG\n", "Redis");
        check(redis.call("redis-tls", "RUNBOOK_TUNNEL_REDIS_TLS") == "PONG\n", "Redis, encrypted on this side");
        let web = command(["sh", "-c", "curl -sS --unix-socket $RUNBOOK_TUNNEL_API http://api/end"], #{ tunnels: ["api"] });
        check(web.stdout == "here", web.stdout);
        let both = command(["sh", "-c", "ls -ld $(dirname $RUNBOOK_TUNNEL_API) | cut -c1-10; env | grep -c ^RUNBOOK_TUNNEL_"], #{ tunnels: ["api", "mongodb"] });
        check(both.stdout == "drwx------\n2\n", both.stdout);
        "#,
    );
    ran.status(0);
    let rows = [
        ("command([\"true\"], #{ tunnels: [\"postgrs\"] });", "unknown service or database \"postgrs\"", "did you mean `postgres`?"),
        ("command([\"true\"], #{ tunnels: [\"redis-off\"] });", "unknown service or database", "redis"),
    ];
    for (script, message, hint) in rows {
        project.really(script).stderr_has("error[bad_argument]: ").stderr_has(message).stderr_has(hint);
    }
    let script = "command([\"psql\", \"-c\", \"SELECT 1\"], #{ tunnels: [\"redis\", \"pg-tls\"] });";
    let rehearsed = project.clone().script("w.rhai", script).run(["run", "w.rhai", "--dry-run", "-o", "json"]).status(0).json();
    let line = rehearsed["changes"][0]["equivalent"].as_str().unwrap();
    let kubectl = |port: &str| format!("kubectl --context=test -n {own} port-forward svc/{port} >/dev/null & ");
    let psql = "PGHOST=localhost PGPORT=5432 PGUSER=ops PGDATABASE=therapeutic_ai psql -c 'SELECT 1'";
    let expected = format!("({}{}sleep 2; {psql}; kill $(jobs -p))", kubectl("redis 6379:6379"), kubectl("tls-by-name 5432:5432"));
    assert_eq!(line, expected);
}

/// A change's equivalent, pasted into a shell.
fn by_hand(project: &Project, own: &str, slot: &Slot) {
    let bin = project.outside().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(variable("RUNBOOK_TEST_KUBECTL"), bin.join("kubectl")).unwrap();
    let project = project.clone().script("y.rhai", "http_delete(\"api/orders\");");
    let rehearsed = project.run(["run", "y.rhai", "--dry-run", "-o", "json"]).status(0).json();
    let line = rehearsed["changes"][0]["equivalent"].as_str().unwrap().to_owned();
    assert!(
        line.starts_with(&format!("kubectl --context=test -n {own} port-forward svc/api 10080:80 >/dev/null & sleep 2; curl ")),
        "{line}"
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &line])
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("KUBECONFIG", variable("RUNBOOK_TEST_KUBECONFIG"))
        .output()
        .unwrap();
    let came = slot.requests().into_iter().any(|request| request["method"] == "DELETE" && request["host"] == "api");
    assert!(came, "{line}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Checks that each line fails with a kind and these words.
#[track_caller]
fn refused(project: &Project, rows: &[(&str, &str, &str, &str)]) {
    for (script, kind, message, hint) in rows {
        let ran = project.really(script).stderr_has(&format!("error[{kind}]: ")).stderr_has(message).stderr_has(hint);
        let outcomes = ran.journaled("outcome");
        assert!(outcomes.iter().all(|line| line["failure"]["sent"] == "no"), "{script} was sent\n{ran}");
    }
}

#[test]
fn what_stands_in_the_way_is_said() {
    let own = namespace("no-tunnels");
    let waiting = system(&own, "late", &ports("late", &[(80, "main")]), &[]).replace(
        "metadata: { labels: { app: late } }",
        "metadata: { labels: { app: late }, annotations: { pod-ready.stage.kwok.x-k8s.io/delay: 24h } }",
    );
    let manifest = [
        system(&own, "api", &ports("api", &[(80, "main"), (81, "nothing")]), &[(8080, "127.0.0.1:9")]),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: elsewhere, namespace: {own} }}\nspec: {{ type: ExternalName, externalName: localhost }}\n---\n"
        ),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: empty, namespace: {own} }}\nspec: {{ ports: [ {{ port: 80 }} ] }}\n---\n"
        ),
    ];
    let project = |context: &str| {
        let real = Real::new("no-tunnels").context(context).line(FORWARDED);
        let services = ["api", "late", "elsewhere", "empty", "nowhere"].iter().fold(real, |real, name| real.service(name, name));
        services.service("wrong-port", "api:99").service("no-port", "api:81").postgres("postgres:5432").redis("elsewhere:6379").project()
    };
    let real = project("test");
    applied(&real, &own, &manifest.concat());
    real.apply(&waiting);
    kubectl(&["-n", &own, "wait", "--for=create", "pod/late-0", "--timeout=60s"]);
    refused(
        &real,
        &[
            (
                "http_get(\"nowhere/x\");",
                "unavailable",
                &format!("no tunnel to nowhere:80: the namespace {own} has no service/nowhere"),
                "reach =",
            ),
            ("http_post(\"nowhere/x\", \"\");", "unavailable", "the namespace ", "is it right, and is it in that namespace?"),
            ("http_get(\"late/x\");", "unavailable", "no pod of service/late is ready: late-0 (", "`pods` and `events`"),
            ("http_get(\"empty/x\");", "unavailable", "no tunnel to empty:80: service/empty leads to no pod", "does its workload run?"),
            ("http_get(\"elsewhere/x\");", "unavailable", "service/elsewhere stands for localhost, and leads to no pod", "ExternalName"),
            (
                "redis(\"redis\", [\"PING\"]);",
                "unavailable",
                "service/elsewhere stands for localhost",
                "an ExternalName cannot be forwarded to",
            ),
            ("http_get(\"wrong-port/x\");", "unavailable", "service/api has no port 99", "it has 80, 81"),
            ("http_get(\"no-port/x\");", "unavailable", "api-0 (no port of the name nothing)", "does its workload run?"),
            ("http_get(\"api/x\");", "unavailable", "GET http://api/x: connection refused", "does it run"),
            ("http_post(\"api/x\", \"\");", "unavailable", "POST http://api/x: connection refused", "does it run"),
            ("sql(\"postgres\", \"SELECT 1\");", "unavailable", "no tunnel to postgres:5432: the namespace", "is it right"),
        ],
    );
    real.really(
        "check(!http_health(\"api\").ok, \"nobody listens\"); check(tcp_check(\"api:80\").error == \"connection refused\", \"nor here\");",
    )
    .status(0);
    let forbidden =
        "lacks the right to create and get pods/portforward: `kubectl --context=viewer auth can-i create pods --subresource=portforward -n";
    let viewer = project("viewer");
    refused(
        &viewer,
        &[
            ("http_get(\"api/x\");", "forbidden", "User \"viewer\" cannot get resource \"pods/portforward\"", forbidden),
            ("http_health(\"api\");", "forbidden", "no tunnel to api:80: pods \"api-0\" is forbidden", forbidden),
        ],
    );
    viewer
        .run(["doctor"])
        .status(1)
        .stdout_has(&format!("may not create pods/portforward -n {own}"))
        .stdout_has("may not get pods/portforward");
    refused(
        &project("unreachable"),
        &[
            (
                "http_get(\"api/x\");",
                "unavailable",
                "no tunnel to api:80: the cluster at https://127.0.0.1:",
                "is the API server of the context `unreachable` up",
            ),
            ("sql(\"postgres\", \"SELECT 1\");", "unavailable", "cannot be reached: connection refused", "is the API server"),
        ],
    );
}

#[test]
fn a_tunnel_that_breaks_ends_the_call_and_not_the_next_one() {
    let own = namespace("broken-tunnels");
    let slot = Slot::new(&json!({ "GET /ok": { "body": "ok" } }));
    // What answers loses its replies, so that the tunnel can be cut while the call waits; the cut is at the API server's door.
    let lost = |to: &str, when: &str| Proxy::new(to, &json!({ "mode": "drop-replies", "when": when }));
    let web = [lost(&slot.address, "/lost"), lost(&slot.address, "/lost")];
    let postgres = lost(&variable("RUNBOOK_TEST_POSTGRES"), "SELECT 4711");
    let redis = lost(&variable("RUNBOOK_TEST_REDIS"), "lost-key");
    let mongo = lost(&variable("RUNBOOK_TEST_MONGO"), "lost_collection");
    let door = Proxy::new(&api_server(), &json!({ "mode": "pass" }));
    let manifest = [
        system(&own, "api", &ports("api", &[(80, "main")]), &[(8080, &web[0].address)]),
        system(&own, "orders", &ports("orders", &[(80, "main")]), &[(8080, &web[1].address)]),
        system(&own, "postgres", &ports("postgres", &[(5432, "5432")]), &[(5432, &postgres.address)]),
        system(&own, "redis", &ports("redis", &[(6379, "6379")]), &[(6379, &redis.address)]),
        system(&own, "mongodb", &ports("mongodb", &[(27017, "27017")]), &[(27017, &mongo.address)]),
    ];
    let url = "url = \"postgres://ops@postgres:5432/therapeutic_ai?sslmode=disable\"\npassword = { env = \"OPS_PASSWORD\" }";
    let real = Real::new("broken-tunnels").through(&door).line(FORWARDED).service("api", "api").service("orders", "orders");
    let project = real.redis("redis:6379").mongo("mongodb:27017").table("databases.postgres", url).project();
    applied(&project, &own, &manifest.concat());
    let cut = |script: &str, proxy: &Proxy| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                proxy.until("lost_bytes");
                door.set(&json!({ "mode": "refuse" }));
                door.set(&json!({ "mode": "pass" }));
            });
            project.clone().really(script)
        })
    };
    for (lost, well, proxy) in [
        ("http_get(\"api/lost\")", "http_get(\"api/ok\")", &web[0]),
        ("sql(\"postgres\", \"SELECT 4711\")", "sql(\"postgres\", \"SELECT 1\")", &postgres),
        ("redis(\"redis\", [\"GET\", \"lost-key\"])", "redis(\"redis\", [\"PING\"])", &redis),
        ("mongo(\"mongodb\", #{ count: \"lost_collection\" })", "mongo(\"mongodb\", #{ ping: 1 })", &mongo),
    ] {
        let ran = cut(
            &format!(
                "let lost = attempt(|| {lost});\nsleep(\"500ms\");\n{well};\ncheck(lost.error.kind == \"unavailable\", lost.error.message);"
            ),
            proxy,
        );
        ran.status(0);
    }
    let ran = cut("http_post(\"orders/lost\", \"\");", &web[1]);
    let ran = ran.status(9).stderr_has("error[in_doubt]: POST http://orders/lost was sent, and no answer came");
    let sent = slot.requests().iter().filter(|request| request["method"] == "POST").count();
    assert_eq!(sent, 1, "once, and never again\n{ran}");
}

#[test]
fn the_way_to_a_pod_that_was_replaced_is_another() {
    let own = namespace("moved-tunnels");
    let project = Real::new("moved-tunnels").line(FORWARDED).service("api", "api:80").deployed();
    // Of every pod this port leads to the stand-in's first slot.
    project.apply(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: api, namespace: {own} }}\nspec: {}\n",
        ports("api", &[(80, "18000")])
    ));
    kubectl(&["-n", &own, "wait", "--for=condition=Available", "deployment/api", "--timeout=60s"]);
    let pod = || kubectl(&["-n", &own, "get", "pods", "-l", "app=api", "-o", "jsonpath={.items[*].metadata.name}"]);
    let first = pod();
    let healthy = "check(http_health(\"api\").ok, \"healthy\");";
    // A connection is kept for four seconds; it would outlive its pod here, where no kubelet ends it.
    project.really(&format!("{healthy} restart(\"api\"); wait_ready(\"api\"); sleep(\"5s\"); {healthy}")).status(0);
    let audit = fs::read_to_string(variable("RUNBOOK_TEST_AUDIT_LOG")).unwrap();
    let forwarded = |pod: &str| audit.contains(&format!("/namespaces/{own}/pods/{pod}/portforward"));
    let second = pod();
    assert!(first != second && forwarded(&first) && forwarded(&second), "{first}, then {second}");
}
