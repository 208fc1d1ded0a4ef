//! Who runs what from where, for the record. `.git` is read; no git process is started, since a repository's own
//! configuration can name programs that git would run.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::find::repository_root;

/// Packed references of large repositories reach some megabytes.
const LARGEST: u64 = 64 << 20;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name; empty where nobody knows it.
    pub name: String,
    /// The number that the kernel knows.
    pub uid: u32,
}

/// The commit that is checked out in the repository around `folder`, in hex; nothing where that cannot be told.
pub fn commit(folder: &Path) -> Option<String> {
    let root = repository_root(folder)?;
    let git = git_folder(&root.join(".git"))?;
    // A worktree has a HEAD of its own and shares the branches.
    let common = read(&git.join("commondir")).map_or_else(|| git.clone(), |shared| git.join(shared.trim()));
    let mut head = read(&git.join("HEAD"))?;
    // References may name references; git itself follows five.
    for _ in 0..5 {
        let Some(name) = head.trim().strip_prefix("ref:").map(str::trim).map(str::to_owned) else {
            return is_commit(head.trim()).then(|| head.trim().to_owned());
        };
        if !name.starts_with("refs/") || name.split('/').any(|part| part.is_empty() || part == "..") {
            return None;
        }
        head = read(&git.join(&name)).or_else(|| read(&common.join(&name))).or_else(|| packed(&common, &name))?;
    }
    None
}

/// Who this process is: the name that belongs to the uid, else what `USER` or `LOGNAME` claim.
pub fn user() -> User {
    let uid = rustix::process::getuid().as_raw();
    let known = read(Path::new("/etc/passwd")).and_then(|users| login(&users, uid));
    let claimed = || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    User { name: known.or_else(claimed).unwrap_or_default(), uid }
}

/// The name of this machine.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// `.git` is the folder itself, or a file that names it.
fn git_folder(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_owned());
    }
    let target = read(dot_git)?.trim().strip_prefix("gitdir:")?.trim().to_owned();
    Some(dot_git.parent()?.join(target))
}

fn packed(git: &Path, name: &str) -> Option<String> {
    let text = read(&git.join("packed-refs"))?;
    text.lines().find_map(|line| line.split_once(' ').filter(|(_, found)| *found == name).map(|(commit, _)| commit.to_owned()))
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|c| c.is_ascii_hexdigit())
}

fn login(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

fn read(path: &Path) -> Option<String> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn head(files: &[(&str, &str)]) -> Option<String> {
        commit(repository(files).path())
    }

    #[test]
    fn the_commit_is_found_in_every_form() {
        let expected = Some(COMMIT.to_owned());
        let line = format!("{COMMIT}\n");
        let packed = format!("# pack-refs with: peeled\n{} refs/heads/other\n{COMMIT} refs/heads/main\n", "f".repeat(40));
        assert_eq!(head(&[(".git/HEAD", &line)]), expected);
        assert_eq!(head(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", &line)]), expected);
        assert_eq!(head(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &packed)]), expected);
        let worktree = repository(&[
            ("main/.git/refs/heads/main", &line),
            ("main/.git/worktrees/w/HEAD", "ref: refs/heads/main\n"),
            ("main/.git/worktrees/w/commondir", "../..\n"),
            ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
            ("w/scripts/x", ""),
        ]);
        assert_eq!(commit(&worktree.path().join("w/scripts")), expected);
    }

    #[test]
    fn what_cannot_be_told_is_nothing() {
        assert_eq!(head(&[("x", "")]), None);
        assert_eq!(head(&[(".git/HEAD", "ref: refs/heads/unborn\n")]), None);
        assert_eq!(head(&[(".git/HEAD", "nonsense")]), None);
        assert_eq!(head(&[(".git/HEAD", "ref: refs/../../secret"), ("secret", COMMIT)]), None);
        assert_eq!(head(&[(".git/HEAD", "ref: refs/heads/a"), (".git/refs/heads/a", "ref: refs/heads/a")]), None);
    }

    #[test]
    fn users_are_named_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nops:x:1000:1000::/home/ops:/bin/sh\nbroken\n";
        assert_eq!(login(users, 1000).as_deref(), Some("ops"));
        assert_eq!(login(users, 1), None);
        assert_eq!(user().uid, rustix::process::getuid().as_raw());
        assert!(!host().is_empty());
    }
}
