//! Trust: who may write the file, and whether a person has seen it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;

use super::super::trust::summary;
use super::super::*;
use super::Place;
use crate::model::Kind;

const FILE: &str = r#"
[services.api]
url = "http://api:8090"
reads = ["/search"]
[environments.prod]
context = "prod-eu"
[environments.prod.databases.postgres]
url = "postgres://ops@postgres/app"
password = { command = ["op", "read", "op://x"] }
[environments.staging]
protected = false
[environments.staging.services.api]
url = "http://staging:8090"
[policy]
reads = [["cat", "/proc/meminfo"]]
"#;

fn now() -> Timestamp {
    "2025-09-01T12:00:00Z".parse().unwrap()
}

fn mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_acts_only_as_it_was_trusted() {
    let place = Place::new(FILE);
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert_eq!(failure.kind, Kind::Denied);
    assert_eq!(failure.message, format!("{} has never been trusted", place.file().display()));
    assert_eq!(failure.hint.as_deref(), Some("see what it allows: `runbook trust`"));

    place.load().unwrap().trust(now()).unwrap();
    place.load().unwrap().check_trust().unwrap();

    place.write(&FILE.replace("prod-eu", "prod-us"));
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert_eq!(failure.message, format!("{} has changed since it was trusted on 2025-09-01 12:00 UTC", place.file().display()));
    place.write(FILE);
    place.load().unwrap().check_trust().unwrap();
}

#[test]
fn trust_is_of_what_was_read_and_not_of_what_stands_there_now() {
    let place = Place::new(FILE);
    let seen = place.load().unwrap();
    place.write("[environments.evil]");
    seen.trust(now()).unwrap();
    assert!(place.load().unwrap().check_trust().unwrap_err().message.contains("has changed"));
}

#[test]
fn a_project_cannot_trust_itself_by_a_record_of_its_own() {
    let place = Place::new(FILE);
    let config = Config::load(&place.project, None, &Dirs::default()).unwrap();
    assert_eq!(config.check_trust().unwrap_err().message, "the folder of the trust records is unknown");
    assert_eq!(config.trust(now()).unwrap_err().kind, Kind::Denied);
}

#[test]
fn a_copy_elsewhere_is_not_trusted() {
    let (place, other) = (Place::new(FILE), Place::new(FILE));
    place.load().unwrap().trust(now()).unwrap();
    let copy = Config::load(&other.project, None, &place.dirs).unwrap();
    assert!(copy.check_trust().unwrap_err().message.ends_with("has never been trusted"));
}

#[test]
fn what_others_can_write_is_refused_even_when_trusted() {
    let place = Place::new(FILE);
    place.load().unwrap().trust(now()).unwrap();
    mode(&place.file(), 0o664);
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert_eq!(failure.kind, Kind::Denied);
    assert_eq!(failure.message, format!("{} can be written by its group (mode 0664)", place.file().display()));
    assert_eq!(failure.hint, Some(format!("chmod go-w {}", place.file().display())));
    assert_eq!(place.load().unwrap().trust(now()).unwrap_err(), failure);
    mode(&place.file(), 0o644);
    mode(&place.project, 0o777);
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert_eq!(failure.hint, Some(format!("chmod go-w {}", place.project.display())));
    mode(&place.project, 0o755);
    place.operator("protected = []");
    mode(&place.dirs.config.join("config.toml"), 0o666);
    assert!(place.load().unwrap().check_trust().unwrap_err().message.contains("config.toml can be written by everybody"));
}

#[test]
fn a_link_to_a_trusted_file_is_not_trusted() {
    let (place, clone) = (Place::new(FILE), Place::new(FILE));
    place.load().unwrap().trust(now()).unwrap();
    fs::remove_file(clone.file()).unwrap();
    std::os::unix::fs::symlink(place.file(), clone.file()).unwrap();
    let linked = Config::load(&clone.project, None, &place.dirs).unwrap();
    let failure = linked.check_trust().unwrap_err();
    assert_eq!(failure.kind, Kind::Denied);
    assert!(failure.message.starts_with(&format!("{} is a symbolic link", clone.file().display())), "{failure}");
    assert!(failure.hint.as_deref().unwrap().contains("put a copy in its place"));
    assert_eq!(linked.trust(now()).unwrap_err(), failure);
}

#[test]
fn the_projects_own_programs_are_trusted_as_they_were() {
    for words in [r#"["./pw.sh"]"#, r#"["sh", "pw.sh"]"#, r#"["python3", "-I", "./pw.sh"]"#, r#"["timeout", "5", "./pw.sh"]"#] {
        let place = Place::new(&FILE.replace(r#"["op", "read", "op://x"]"#, words));
        let program = place.project.join("pw.sh");
        fs::write(&program, "echo one").unwrap();
        mode(&program, if words.contains("timeout") { 0o755 } else { 0o644 });
        place.load().unwrap().trust(now()).unwrap();
        place.load().unwrap().check_trust().unwrap();
        fs::write(&program, "echo two").unwrap();
        let failure = place.load().unwrap().check_trust().unwrap_err();
        assert!(failure.message.contains("a program that") && failure.message.contains("has changed since"), "{words}: {failure}");
        fs::remove_file(&program).unwrap();
        place.load().unwrap().check_trust().unwrap_err();
        fs::write(&program, "echo one").unwrap();
        mode(&program, if words.contains("timeout") { 0o755 } else { 0o644 });
        place.load().unwrap().check_trust().unwrap();
    }
    // What a command only reads is data, and may change: an encrypted file, a password.
    let place = Place::new(&FILE.replace(r#"["op", "read", "op://x"]"#, r#"["sops", "-d", "secrets.yaml"]"#));
    fs::write(place.project.join("secrets.yaml"), "one").unwrap();
    place.load().unwrap().trust(now()).unwrap();
    fs::write(place.project.join("secrets.yaml"), "two").unwrap();
    place.load().unwrap().check_trust().unwrap();
}

#[test]
fn the_projects_own_program_that_is_taken_for_a_read_is_trusted_as_it_was() {
    let place = Place::new(&FILE.replace(r#"["cat", "/proc/meminfo"]"#, r#"["./look.sh", "all"]"#));
    fs::write(place.project.join("look.sh"), "echo one").unwrap();
    place.load().unwrap().trust(now()).unwrap();
    place.load().unwrap().check_trust().unwrap();
    fs::write(place.project.join("look.sh"), "rm -rf /").unwrap();
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert!(failure.message.contains("or takes for a read, ") && failure.message.contains("has changed since"), "{failure}");
}

#[test]
fn an_authority_is_trusted_as_it_was() {
    let text = "[environments.prod.databases.pg]\nurl = \"postgres://ops@pg:5432/x?sslmode=verify-full\"\nca = \"ca.pem\"\n";
    let place = Place::new(text);
    let authority = place.project.join("ca.pem");
    fs::write(&authority, "one").unwrap();
    let config = place.load().unwrap();
    config.trust(now()).unwrap();
    assert!(summary(&config).destinations.first().unwrap().contains(", signed by ca.pem: SHA-256 7692c3ad"));
    place.load().unwrap().check_trust().unwrap();
    fs::write(&authority, "another").unwrap();
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert!(failure.message.contains("or an authority that it believes, has changed since"), "{failure}");
}

#[test]
fn a_service_s_credentials_are_shown_for_each_place_that_they_go_to() {
    let auth = "reads = [\"/search\"]\nauth = { basic = { user = \"ops\", password = { command = [\"./pw.sh\"] } } }\nheaders = { X-Key = { env = \"KEY\" } }";
    let place = Place::new(&FILE.replace("reads = [\"/search\"]", auth));
    fs::write(place.project.join("pw.sh"), "echo one").unwrap();
    let config = place.load().unwrap();
    let allowed = summary(&config);
    let secrets: Vec<&str> = allowed.secrets.iter().map(String::as_str).collect();
    assert_eq!(secrets, ["prod: env:KEY (for api)", "staging: env:KEY (for api)"]);
    assert!(allowed.commands.iter().any(|line| line.starts_with("staging: [\"./pw.sh\"] (for api), ./pw.sh: SHA-256 ")), "{allowed:?}");
    config.trust(now()).unwrap();
    place.load().unwrap().check_trust().unwrap();
    fs::write(place.project.join("pw.sh"), "echo two").unwrap();
    assert_eq!(place.load().unwrap().check_trust().unwrap_err().kind, Kind::Denied);
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a file away.
    }
    let place = Place::new(FILE);
    std::os::unix::fs::chown(place.file(), Some(12_345), None).unwrap();
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert_eq!(failure.message, format!("{} belongs to another user (uid 12345)", place.file().display()));
}

#[test]
fn the_record_is_private_and_a_planted_one_does_not_count() {
    let place = Place::new(FILE);
    fs::create_dir(&place.dirs.state).unwrap();
    mode(&place.dirs.state, 0o755);
    place.load().unwrap().trust(now()).unwrap();
    let record = place.dirs.state.join("trust.json");
    let bits = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((bits(&place.dirs.state), bits(&record)), (0o700, 0o600));
    assert_eq!(fs::read_dir(&place.dirs.state).unwrap().count(), 1, "temporary files stay behind");
    mode(&record, 0o666);
    assert_eq!(place.load().unwrap().check_trust().unwrap_err().hint, Some(format!("chmod go-w {}", record.display())));
    mode(&record, 0o600);
    fs::write(&record, "{\n").unwrap();
    let failure = place.load().unwrap().check_trust().unwrap_err();
    assert_eq!((failure.kind, failure.message), (Kind::Denied, format!("{} is damaged at line 2", record.display())));
}

#[test]
fn the_summary_says_all_that_a_file_can_make_happen() {
    let allowed = summary(&Place::new(FILE).load().unwrap());
    let lines: Vec<&str> = allowed.groups().into_iter().flat_map(|(_, lines)| lines.iter().map(String::as_str)).collect();
    assert_eq!(
        lines,
        [
            "prod: context prod-eu, cluster any UID, namespace default",
            "staging",
            r#"prod: ["op","read","op://x"] (for postgres)"#,
            "all: api at http://api:8090",
            "prod: postgres at postgres://ops@postgres/app",
            "staging: api at http://staging:8090",
            "POST /search at api",
            r#"["cat","/proc/meminfo"]"#,
        ]
    );
}
