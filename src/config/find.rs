//! Finding the project: its root, its file, its repository.

use std::path::{Path, PathBuf};

use super::FILE_NAME;

/// A project's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the file stands, else the repository's root, else where the search began.
    pub(super) root: PathBuf,
    /// The project's file.
    pub(super) file: Option<PathBuf>,
}

/// The project of a script where it has one, else that of the folder that the work starts in.
pub(super) fn place(start: &Path, script: Option<&Path>) -> Place {
    let of_script = script.and_then(Path::parent).map(|folder| walk(&start.join(folder))).filter(|place| place.file.is_some());
    of_script.unwrap_or_else(|| walk(start))
}

/// Walks up to the repository's root and never beyond: a file that somebody planted above it is not ours.
/// Outside of a repository only the first folder counts.
fn walk(start: &Path) -> Place {
    let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
    let root = repository_root(&start);
    let last = root.unwrap_or(&start);
    let found = start.ancestors().take_while(|folder| folder.starts_with(last)).find_map(|folder| {
        let file = folder.join(FILE_NAME);
        file.symlink_metadata().is_ok_and(|meta| !meta.is_dir()).then(|| (folder.to_owned(), file))
    });
    match found {
        Some((root, file)) => Place { root, file: Some(file) },
        None => Place { root: last.to_owned(), file: None },
    }
}

/// The nearest folder from here upwards that holds `.git`, which is a file in worktrees and submodules.
pub(super) fn repository_root(start: &Path) -> Option<&Path> {
    start.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("repo/scripts/deep")).unwrap();
        (temp, path)
    }

    #[test]
    fn walks_up_to_the_repositorys_root_and_never_beyond() {
        let (_temp, top) = folder();
        let (repo, deep) = (top.join("repo"), top.join("repo/scripts/deep"));
        fs::write(top.join(FILE_NAME), "planted").unwrap();
        fs::create_dir(repo.join(".git")).unwrap();
        assert_eq!(place(&deep, None), Place { root: repo.clone(), file: None });
        fs::write(repo.join(FILE_NAME), "").unwrap();
        assert_eq!(place(&deep, None), Place { root: repo.clone(), file: Some(repo.join(FILE_NAME)) });
        // A worktree's `.git` is a file and bounds the walk as well.
        fs::write(repo.join("scripts/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(place(&deep, None), Place { root: repo.join("scripts"), file: None });
    }

    #[test]
    fn without_a_repository_only_the_first_folder_counts() {
        let (_temp, top) = folder();
        let (repo, deep) = (top.join("repo"), top.join("repo/scripts/deep"));
        fs::write(repo.join(FILE_NAME), "planted").unwrap();
        assert_eq!(place(&deep, None), Place { root: deep.clone(), file: None });
        assert_eq!(place(&repo, None).file, Some(repo.join(FILE_NAME)));
    }

    #[test]
    fn a_scripts_own_project_goes_before_the_working_folders() {
        let (_temp, top) = folder();
        let (here, there) = (top.join("repo"), top.join("repo/scripts"));
        fs::write(here.join(FILE_NAME), "").unwrap();
        assert_eq!(place(&here, Some(Path::new("scripts/x.rhai"))).root, here);
        fs::write(there.join(FILE_NAME), "").unwrap();
        assert_eq!(place(&here, Some(Path::new("scripts/x.rhai"))).root, there);
        assert_eq!(place(&here, Some(Path::new("x.rhai"))).root, here);
    }
}
