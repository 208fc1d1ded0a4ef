//! Where `save:` may write: beneath the project's root, symbolic links included, and never over what is there.

use std::path::{Component, Path};

use crate::call::Cx;
use crate::model::Failure;
use crate::model::operation::Save;
use crate::model::spec::{Args, Opt, Type};
use crate::platform::save::exists;

/// The option of every function that can stream its answer to a file.
pub const SAVE: Opt = Opt {
    name: "save",
    ty: Type::Str,
    default: "",
    help: "streams the answer to this new file beneath the project's root, and answers `#{ path, bytes, sha256 }` and how much it was",
};

/// The file that the call's `save:` names, if it has one. Errors are `bad_argument`.
pub fn of(args: &Args, cx: &Cx<'_>) -> Result<Option<Save>, Failure> {
    args.option_str("save").map(|path| beneath(&cx.config().root, path, !cx.rehearsing())).transpose()
}

fn beneath(root: &Path, asked: &str, keep: bool) -> Result<Save, Failure> {
    let wrong =
        |message: String| Failure::bad_argument(message).hint("files are saved beneath the project's root: `save: \"evidence/rows.csv\"`");
    let path = Path::new(asked);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let Some(name) = path.file_name().filter(|_| plain && !asked.contains('\0')) else {
        return Err(wrong(format!("{asked:?} is no path beneath the project's root")));
    };
    let folder = root.join(path.parent().unwrap_or(Path::new("")));
    let real = |folder: &Path| folder.canonicalize().map_err(|error| wrong(format!("the folder of {asked:?} cannot be opened: {error}")));
    // What is not there yet is made when the file is begun, beneath the last folder that is there.
    let is_there = |folder: &&Path| folder.symlink_metadata().is_ok();
    let there = folder.ancestors().find(is_there).unwrap_or(root);
    let missing = folder.strip_prefix(there).unwrap_or(Path::new("")).to_owned();
    let (root, there) = (real(root)?, real(there)?);
    if !there.starts_with(&root) {
        return Err(wrong(format!("the folder of {asked:?} leads out of the project")));
    }
    if !there.is_dir() {
        return Err(wrong(format!("the folder of {asked:?} is a file")));
    }
    let path = there.join(missing).join(name);
    if path.symlink_metadata().is_ok() {
        return Err(exists(asked));
    }
    Ok(Save { path, shown: asked.to_owned(), keep })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_saved_beneath_the_root_and_nowhere_else() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("evidence")).unwrap();
        std::fs::write(root.path().join("old"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("out")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("dangling")).unwrap();
        let save = beneath(root.path(), "evidence/rows.csv", true).unwrap();
        assert_eq!(save.path, root.path().canonicalize().unwrap().join("evidence/rows.csv"));
        let save = beneath(root.path(), "evidence/./2026/11/rows.csv", true).unwrap();
        assert_eq!(save.path, root.path().canonicalize().unwrap().join("evidence/2026/11/rows.csv"));
        assert!(!root.path().join("evidence/2026").exists(), "it is made when the file is begun");
        for (asked, says) in [
            ("../rows", "is no path beneath"),
            ("/etc/rows", "is no path beneath"),
            ("", "is no path beneath"),
            ("evidence/..", "is no path beneath"),
            ("a\0b", "is no path beneath"),
            ("out/rows", "leads out of the project"),
            ("old/rows", "is a file"),
            ("out/more/rows", "leads out of the project"),
            ("dangling/rows", "cannot be opened"),
            ("old", "exists already"),
            ("dangling", "exists already"),
        ] {
            let failure = beneath(root.path(), asked, true).unwrap_err();
            assert!(failure.message.contains(says), "{asked:?}: {failure:?}");
        }
    }
}
