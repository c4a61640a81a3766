//! How to start a worker process. Knows neither who starts it nor what is said to it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A program with its arguments and the environment variables it needs beside those it inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program, as a path or as a name to be found on the search path.
    pub program: PathBuf,
    /// Its arguments, in order.
    pub args: Vec<OsString>,
    /// Variables set on top of the inherited ones.
    pub envs: Vec<(OsString, OsString)>,
    /// Variables that it does not inherit: all whose names begin so.
    pub withheld: &'static [&'static str],
}

impl WorkerCommand {
    /// The command, to be run. The caller sets its standard streams.
    #[must_use]
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        withhold(&mut command, self.withheld);
        command.args(&self.args).envs(self.envs.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Keeps the variables whose names begin in one of these ways from being inherited. Those that are set after this are passed on.
pub(crate) fn withhold(command: &mut Command, beginnings: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let name_begins = |beginning: &&str| name.as_encoded_bytes().starts_with(beginning.as_bytes());
        if beginnings.iter().any(name_begins) {
            command.env_remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_withheld_is_not_inherited_and_what_is_set_is_passed_on() {
        // Cargo sets several of these for every test.
        let command = WorkerCommand {
            program: "env".into(),
            envs: vec![("CARGO_OF_ITS_OWN".into(), "1".into())],
            withheld: &["CARGO"],
            ..WorkerCommand::default()
        };
        let output = command.to_command().output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout);
        let names: Vec<&str> = listed.lines().filter(|line| line.starts_with("CARGO")).collect();
        assert!(std::env::vars_os().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
        assert_eq!(names, ["CARGO_OF_ITS_OWN=1"]);
    }
}
