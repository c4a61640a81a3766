//! Where conditions are read from: files below a root, and commands that exist on some machines only.
//!
//! Knows no condition. What cannot be read is a reason in words, for a machine that lacks a file is not at fault.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Why a condition is not known that is told by files or by a program which this system does not have. Their names would
/// say nothing to someone whose system never had them.
pub(super) const NOT_TOLD: &str = "this system does not report it";

/// A tree of files: the machine's own, or a recorded one in a test.
#[derive(Clone, Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn of_this_machine() -> Self {
        Self { root: PathBuf::from("/") }
    }

    #[cfg(test)]
    pub(super) fn below(root: &std::path::Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The text of a file, trimmed. The path is relative to the root.
    pub(super) fn text(&self, path: &str) -> Result<String, String> {
        let bytes = fs::read(self.root.join(path)).map_err(|error| format!("/{path}: {error}"))?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// The number that is all of a file.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path).ok()?.parse().ok()
    }

    /// The entries of a folder, as paths relative to the root.
    pub(super) fn entries(&self, folder: &str) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(self.root.join(folder)).map_err(|error| format!("/{folder}: {error}"))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(format!("{folder}/{}", entry.ok()?.file_name().to_str()?)))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The folders of the processors.
    pub(super) fn processors(&self) -> Result<Vec<String>, String> {
        const FOLDER: &str = "sys/devices/system/cpu";
        let is_processor =
            |path: &String| path.rsplit_once("/cpu").is_some_and(|(_, number)| number.parse::<u32>().is_ok());
        Ok(self.entries(FOLDER)?.into_iter().filter(is_processor).collect())
    }
}

/// What a command prints, when there is such a command and it succeeds.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|error| {
        match error.kind() {
            ErrorKind::NotFound => NOT_TOLD.to_owned(),
            _ => format!("{program}: {error}"),
        }
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program} ended with {}", output.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_which_file_or_command_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::below(folder.path());
        assert!(files.text("proc/stat").unwrap_err().starts_with("/proc/stat: "));
        assert!(files.processors().unwrap_err().starts_with("/sys/devices/system/cpu: "));
        let program = folder.path().join("program");
        fs::write(&program, "not one that can be run").unwrap();
        let reason = ask(program.to_str().unwrap(), &[]).unwrap_err();
        assert!(reason.contains("program: "), "{reason}");
        assert!(ask("false", &[]).unwrap_err().contains("exit status: 1"));
        assert_eq!(ask("echo", &["heard"]).unwrap(), "heard\n");
    }

    #[test]
    fn a_program_of_another_system_is_not_named() {
        assert_eq!(ask("tailmark-no-such-program", &[]).unwrap_err(), NOT_TOLD);
    }

    #[test]
    fn only_numbered_processors_are_processors() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cpu0", "cpu11", "cpuidle", "cpufreq", "online"] {
            fs::create_dir_all(folder.path().join("sys/devices/system/cpu").join(name)).unwrap();
        }
        let found = Files::below(folder.path()).processors().unwrap();
        assert_eq!(found, ["sys/devices/system/cpu/cpu0", "sys/devices/system/cpu/cpu11"]);
    }
}
