//! What an environment must hold: the pinned requirements of each set of packages, as they are compiled in. It does not
//! install anything.

use sha2::{Digest as _, Sha256};

/// Oldest Python the worker runs on.
pub(crate) const OLDEST: (u32, u32) = (3, 11);
/// Newest Python for which the pinned packages exist.
pub(crate) const NEWEST: (u32, u32) = (3, 14);

/// A set of packages. Each of the later ones holds the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extra {
    /// ONNX Runtime and what it takes to feed it.
    Base,
    /// And torch: gigabytes on some machines, so only for those who ask for a torch backend.
    Torch,
    /// And what it takes to write an ONNX graph.
    Export,
}

impl Extra {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::Base, Self::Torch, Self::Export];

    /// A short name, also part of the environment's folder name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Torch => "torch",
            Self::Export => "export",
        }
    }

    /// The requirements with their hashes, in pip's format.
    #[must_use]
    pub fn requirements(self) -> &'static str {
        match self {
            Self::Base => include_str!("../../../python/requirements/base.txt"),
            Self::Torch => include_str!("../../../python/requirements/torch.txt"),
            Self::Export => include_str!("../../../python/requirements/export.txt"),
        }
    }

    /// The packages that the worker imports itself, and so all that a user's own environment is asked for: what those
    /// need in turn is the affair of whoever installed them.
    #[must_use]
    pub fn direct(self) -> &'static [&'static str] {
        match self {
            Self::Base => &["numpy", "onnxruntime", "orjson", "tokenizers"],
            Self::Torch => {
                &["numpy", "onnxruntime", "orjson", "tokenizers", "safetensors", "torch", "transformers"]
            }
            Self::Export => &[
                "numpy",
                "onnxruntime",
                "orjson",
                "tokenizers",
                "safetensors",
                "torch",
                "transformers",
                "onnx",
                "onnxscript",
                "sentence-transformers",
            ],
        }
    }

    /// A package with the version that is pinned, for example `numpy==2.4.6`.
    #[must_use]
    pub fn pin_of(self, package: &str) -> String {
        let pinned = self.requirements().lines().filter_map(|line| line.split([' ', ';']).next());
        let is_it = |pin: &&str| pin.strip_prefix(package).is_some_and(|rest| rest.starts_with("=="));
        pinned.into_iter().find(is_it).unwrap_or(package).to_owned()
    }

    /// Names an environment: the same for the same requirements and the same kind of interpreter, else another.
    pub(crate) fn environment_name(self, interpreter: &str) -> String {
        let mut hasher = Sha256::new();
        for part in [self.requirements(), interpreter] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        format!("{}-{}", self.name(), short(&hasher.finalize()))
    }
}

/// The beginning of a digest: long enough to tell apart whatever one cache will ever hold.
pub(crate) fn short(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the packages in a requirements file or a list of dependencies.
    fn name_of(requirement: &str) -> &str {
        requirement.split(['=', '>', '<', '!', '~', ';', ' ', '[']).next().unwrap()
    }

    fn project() -> toml::Table {
        include_str!("../../../python/pyproject.toml").parse().unwrap()
    }

    #[test]
    fn the_direct_packages_are_those_the_python_project_names() {
        let project = &project()["project"];
        let names = |list: &toml::Value| -> Vec<String> {
            let texts =
                list.as_array().unwrap().iter().map(|text| name_of(text.as_str().unwrap()).to_owned());
            texts.filter(|name| name != "tailmark-worker").collect()
        };
        let mut expected = names(&project["dependencies"]);
        for extra in Extra::ALL {
            if extra != Extra::Base {
                expected.extend(names(&project["optional-dependencies"][extra.name()]));
            }
            assert_eq!(extra.direct(), expected, "{extra:?}");
        }
    }

    #[test]
    fn the_accepted_versions_are_those_the_python_project_names() {
        let expected = format!(">={}.{},<{}.{}", OLDEST.0, OLDEST.1, NEWEST.0, NEWEST.1 + 1);
        assert_eq!(project()["project"]["requires-python"].as_str().unwrap(), expected);
    }

    #[test]
    fn every_requirement_is_pinned_by_hash_and_every_direct_package_is_among_them() {
        for extra in Extra::ALL {
            let lines = extra.requirements().lines().filter(|line| !line.trim().is_empty());
            let starts: Vec<&str> = lines.filter(|line| !line.starts_with([' ', '#'])).collect();
            for line in &starts {
                assert!(line.contains("=="), "{extra:?}: {line}");
                assert!(line.ends_with('\\') || line.contains("--hash=sha256:"), "{extra:?}: {line}");
            }
            for name in extra.direct() {
                assert!(starts.iter().any(|line| name_of(line) == *name), "{extra:?}: {name}");
            }
        }
    }

    #[test]
    fn another_interpreter_is_another_environment() {
        let names: Vec<_> = ["a", "b"].map(|interpreter| Extra::Base.environment_name(interpreter)).into();
        assert_ne!(names[0], names[1]);
        assert!(names[0].starts_with("base-"));
    }
}
