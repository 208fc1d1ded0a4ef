//! What is read of this machine: environment variables, and files beneath the project's root.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use rustix::fs::OFlags;

use crate::model::operation::{Encoding, FileQuery};
use crate::model::{Failure, Kind, Secret, Value};

/// The longest secret, in bytes.
const LONGEST_SECRET: u64 = 64 << 10;

/// A variable of this process. Errors are `not_found`, and `failed` where it is no UTF-8.
pub fn variable(name: &str, public: bool) -> Result<Value, Failure> {
    let content = std::env::var_os(name).ok_or_else(|| unset(name).hint(format!("export {name} and run again, or give a `default`")))?;
    let text = content.into_string().map_err(|_| Failure::new(Kind::Failed, format!("the environment variable {name} is not UTF-8")))?;
    Ok(opened(name, text, public))
}

/// A variable's value: text where it is public, else a secret.
pub fn opened(name: &str, text: String, public: bool) -> Value {
    if public { text.into() } else { Secret::new(format!("env:{name}"), text).into() }
}

/// The failure of a variable that is not set.
pub fn unset(name: &str) -> Failure {
    Failure::new(Kind::NotFound, format!("the environment variable {name} is not set"))
}

/// A file's text. Errors are `denied` (it leaves the project, which ends the run), `not_found`, `too_large` and `failed`.
pub fn file(root: &Path, query: &FileQuery) -> Result<Value, Failure> {
    let asked = &query.path;
    let failed = |what: String| Failure::new(Kind::Failed, format!("{asked:?} {what}"));
    if asked.is_empty() || asked.contains('\0') {
        return Err(Failure::bad_argument(format!("{asked:?} is no path")));
    }
    let root = root.canonicalize().map_err(|error| failed(format!("cannot be read: the project's root: {}", error.kind())))?;
    let path = root.join(asked);
    // Before anything is touched: whether a file is there beyond the root is nobody's business.
    if !is_beneath(&root, &path) {
        return Err(outside(asked));
    }
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Failure::new(Kind::NotFound, format!("{asked:?} does not exist")).hint("paths are from the project's root")
        }
        kind => failed(format!("cannot be read: {kind}")),
    };
    let real = path.canonicalize().map_err(cannot)?;
    if !real.starts_with(&root) {
        return Err(outside(asked));
    }
    // No link any more, and no waiting for whoever would write to a pipe.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(&real, flags, rustix::fs::Mode::empty()).map_err(|error| cannot(error.into()))?;
    let mut opened = File::from(opened);
    if !opened.metadata().map_err(cannot)?.is_file() {
        return Err(failed("is no file".to_owned()));
    }
    let limit = if query.secret { query.limit.min(LONGEST_SECRET) } else { query.limit };
    let mut bytes = Vec::new();
    opened.by_ref().take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limit {
        let failure = Failure::new(Kind::TooLarge, format!("{asked:?} is larger than {limit} bytes"));
        return Err(if query.secret { failure.hint("secrets are 64 KiB at most") } else { failure });
    }
    let text = match query.encoding {
        Encoding::Lossy => String::from_utf8_lossy(&bytes).into_owned(),
        Encoding::Strict => String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            failed(format!("is not UTF-8 at line {line}")).hint("`lossy: true` replaces what is not")
        })?,
    };
    match query.secret {
        true => Ok(Secret::new(format!("file:{asked}"), text.trim_end_matches(['\r', '\n'])).into()),
        false => Ok(text.into()),
    }
}

/// Whether a path stays beneath the root as it is written, without a look at links.
fn is_beneath(root: &Path, path: &Path) -> bool {
    let mut depth = 0usize;
    let Ok(rest) = path.strip_prefix(root) else { return false };
    rest.components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::ParentDir => {
            let within = depth > 0;
            depth = depth.saturating_sub(1);
            within
        }
        _ => true,
    })
}

fn outside(asked: &str) -> Failure {
    Failure::new(Kind::Denied, format!("{asked:?} leaves the project")).hint("only files beneath the project's root are read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn read(root: &Path, path: &str) -> Result<Value, Failure> {
        file(root, &FileQuery { path: path.to_owned(), limit: 16, encoding: Encoding::Strict, secret: false })
    }

    #[test]
    fn files_beneath_the_root_are_read_and_no_others() {
        let (outside, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| root.path().join(name);
        std::fs::write(outside.path().join("key"), "canary-canary").unwrap();
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/a"), "content\n").unwrap();
        symlink("sub/a", at("link")).unwrap();
        symlink(outside.path().join("key"), at("out")).unwrap();
        symlink(outside.path(), at("folder")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for path in ["sub/a", "./sub/../sub/a", "link", &root.path().canonicalize().unwrap().join("sub/a").display().to_string()] {
            assert_eq!(read(root.path(), path).unwrap(), "content\n".into(), "{path}");
        }
        for path in ["out", "folder/key", "../x", "sub/../../x", "/etc/passwd", "/proc/self/environ", "/no/such", "folder/none/../../x"] {
            let failure = read(root.path(), path).unwrap_err();
            assert!(matches!(failure.kind, Kind::Denied | Kind::NotFound), "{path}: {failure:?}");
            assert_eq!(failure.kind == Kind::NotFound, path == "folder/none/../../x", "{path}");
        }
        for (path, kind) in [
            ("none", Kind::NotFound),
            ("sub/a/b", Kind::NotFound),
            ("", Kind::BadArgument),
            ("a\0b", Kind::BadArgument),
            ("sub", Kind::Failed),
            ("loop", Kind::Failed),
        ] {
            assert_eq!(read(root.path(), path).unwrap_err().kind, kind, "{path:?}");
        }
    }

    #[test]
    fn pipes_are_not_waited_for_and_size_and_bytes_are_checked() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR, 0)
            .unwrap();
        assert_eq!(read(root.path(), "pipe").unwrap_err().message, "\"pipe\" is no file");
        std::fs::write(at("sixteen"), "0123456789abcdef").unwrap();
        std::fs::write(at("more"), "0123456789abcdef!").unwrap();
        std::fs::write(at("bytes"), b"a\nb\xff").unwrap();
        assert!(read(root.path(), "sixteen").is_ok());
        assert_eq!(read(root.path(), "more").unwrap_err().kind, Kind::TooLarge);
        assert_eq!(read(root.path(), "bytes").unwrap_err().message, "\"bytes\" is not UTF-8 at line 2");
        let lossy = FileQuery { path: "bytes".to_owned(), limit: 16, encoding: Encoding::Lossy, secret: false };
        assert_eq!(file(root.path(), &lossy).unwrap(), "a\nb\u{fffd}".into());
    }

    #[test]
    fn a_secret_file_is_opaque() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("token"), "hunter2hunter2\n").unwrap();
        let query = FileQuery { path: "token".to_owned(), limit: 1 << 20, encoding: Encoding::Strict, secret: true };
        let Value::Secret(secret) = file(root.path(), &query).unwrap() else { panic!("no secret") };
        assert_eq!((secret.name(), secret.expose()), ("file:token", "hunter2hunter2"));
    }

    #[test]
    fn variables_are_secrets_unless_they_are_public() {
        assert_eq!(variable("CARGO_PKG_NAME", true).unwrap(), "runbook".into());
        assert_eq!(variable("CARGO_PKG_NAME", false).unwrap().to_string(), "{\"$secret\":\"env:CARGO_PKG_NAME\"}");
        assert_eq!(variable("RUNBOOK_TEST_NOT_SET", true).unwrap_err().kind, Kind::NotFound);
    }
}
