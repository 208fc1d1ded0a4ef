//! A world's databases, as fresh ones of the real servers.

use std::sync::atomic::{AtomicU8, Ordering};

use mongodb::bson::{Bson, Document};
use runbook::model::Value as Data;
use runbook::platform::world::WorldFile;
use runbook::platform::world::file::DatabaseFile;

use super::cluster::Cluster;
use super::fixture::Platform;
use crate::services::variable;

/// Nobody listens there.
const CLOSED: &str = "127.0.0.1:1";

/// Makes the databases and fills them; one whose workload has no pods is where nobody listens.
pub(super) fn apply(platform: &mut Platform, world: &WorldFile, cluster: &Cluster) {
    let name = platform.namespace().replace('-', "_");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut made = Vec::new();
    for (database, configured) in platform.of_environment("databases") {
        let Some(url) = configured.get("url").and_then(toml::Value::as_str) else { continue };
        let written = world.databases.get(&database).cloned().unwrap_or_default();
        let down = configured.get("workload").and_then(toml::Value::as_str).is_some_and(|workload| !cluster.runs(workload));
        let place = |name: &str| if down { CLOSED.to_owned() } else { variable(name) };
        let scheme = url.split_once("://").unwrap().0;
        // What is locked or down for the script holds nothing.
        let filled = !down && !configured.get("password").is_some_and(|source| source.get("env") == Some(&"WRONG_PASSWORD".into()));
        let url = match scheme {
            "postgres" | "postgresql" => {
                if filled {
                    runtime.block_on(postgres(&name, &written, !made.contains(&"postgres")));
                    made.push("postgres");
                }
                format!("postgres://ops@{}/{name}", place("RUNBOOK_TEST_POSTGRES"))
            }
            "mongodb" => {
                if filled {
                    runtime.block_on(mongo(&name, &written));
                }
                format!("mongodb://{}/{name}", place("RUNBOOK_TEST_MONGO"))
            }
            "redis" => {
                let number = fresh_number();
                if filled {
                    redis(number, &written);
                }
                format!("redis://{}/{number}", place("RUNBOOK_TEST_REDIS"))
            }
            // Known by its workload only.
            _ => continue,
        };
        platform.set("databases", &database, "url", url);
        platform.unset("databases", &database, "reader");
        let variable = match scheme {
            "mongodb" => {
                platform.unset("databases", &database, "password");
                continue;
            }
            "redis" => "REDIS_PASSWORD",
            _ => "OPS_PASSWORD",
        };
        if filled || down {
            let source: toml::Table = [("env".to_owned(), variable.into())].into_iter().collect();
            platform.set("databases", &database, "password", source);
        }
    }
    for (name, value) in [
        ("OPS_PASSWORD", variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD")),
        ("REDIS_PASSWORD", variable("RUNBOOK_TEST_REDIS_PASSWORD")),
        ("WRONG_PASSWORD", "not-the-password-at-all".to_owned()),
    ] {
        platform.variables.push((name.to_owned(), value));
    }
}

/// A database of its own, made and set up by the superuser.
async fn postgres(name: &str, written: &DatabaseFile, fresh: bool) {
    let connect = async |database: &str| {
        let (folder, port) = (variable("RUNBOOK_TEST_DIR"), variable("RUNBOOK_TEST_POSTGRES"));
        let port = port.rsplit_once(':').unwrap().1;
        let settings = format!("host={folder}/postgres port={port} user=postgres dbname={database}");
        let (client, connection) = tokio_postgres::connect(&settings, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    if fresh {
        connect("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    }
    connect(name).await.batch_execute(&written.setup).await.unwrap();
}

async fn mongo(name: &str, written: &DatabaseFile) {
    let client = mongodb::Client::with_uri_str(format!("mongodb://{}", variable("RUNBOOK_TEST_MONGO"))).await.unwrap();
    for (collection, documents) in &written.collections {
        let documents: Vec<Document> = documents.iter().map(document).collect();
        client.database(name).collection(collection).insert_many(documents).await.unwrap();
    }
}

/// Data as MongoDB's own tools would store it: whole numbers as ints.
fn bson(data: &Data) -> Bson {
    match data {
        Data::Null => Bson::Null,
        Data::Bool(b) => Bson::Boolean(*b),
        Data::Int(n) => i32::try_from(*n).map_or(Bson::Int64(*n), Bson::Int32),
        Data::Float(x) => Bson::Double(*x),
        Data::Str(text) => Bson::String(text.clone()),
        Data::List(items) => Bson::Array(items.iter().map(bson).collect()),
        Data::Map(map) => Bson::Document(map.iter().map(|(key, item)| (key.to_string(), bson(item))).collect()),
        Data::Secret(_) | Data::Unsent(_) => panic!("no world file holds {data:?}"),
    }
}

fn document(data: &Data) -> Document {
    match bson(data) {
        Bson::Document(document) => document,
        other => panic!("{other} is no document"),
    }
}

/// One of the server's 16 numbered databases; 0 is for tests that need none of their own.
fn fresh_number() -> u8 {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(number < 16, "the server has no more numbered databases");
    number
}

fn redis(number: u8, written: &DatabaseFile) {
    let (place, password) = (variable("RUNBOOK_TEST_REDIS"), variable("RUNBOOK_TEST_REDIS_PASSWORD"));
    let client = redis::Client::open(format!("redis://:{password}@{place}/{number}")).unwrap();
    let mut connection = client.get_connection().unwrap();
    redis::cmd("FLUSHDB").exec(&mut connection).unwrap();
    let text = |value: &Data| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (key, value) in &written.keys {
        let command = match value {
            Data::List(items) => redis::cmd("RPUSH").arg(key).arg(items.iter().map(text).collect::<Vec<_>>()).to_owned(),
            Data::Map(map) => {
                let pairs: Vec<String> = map.iter().flat_map(|(field, value)| [field.to_string(), text(value)]).collect();
                redis::cmd("HSET").arg(key).arg(pairs).to_owned()
            }
            plain => redis::cmd("SET").arg(key).arg(text(plain)).to_owned(),
        };
        command.exec(&mut connection).unwrap();
    }
}
