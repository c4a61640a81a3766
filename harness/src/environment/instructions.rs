//! Which instructions the processor has, as far as `/proc/cpuinfo` lists them. Knows nothing of what they are good for.

use tailmark_providers::graph_options::InstructionSet;

use super::source::Files;

/// The instructions that add products of 8-bit integers in 32 bits, as Linux names them.
const VNNI: [&str; 2] = ["avx512_vnni", "avx_vnni"];

/// Whether the processor has VNNI; `None` where its instructions are not listed, or are not those of x86.
pub(super) fn has_vnni(files: &Files) -> Option<bool> {
    has_one_of(&VNNI, files)
}

/// Whether a processor of this architecture (`x86_64`, `aarch64`) has these instructions.
pub(super) fn has(instructions: InstructionSet, arch: &str, files: &Files) -> Option<bool> {
    let flag = match instructions {
        InstructionSet::Arm64 => return Some(arch == "aarch64"),
        InstructionSet::Avx2 => "avx2",
        InstructionSet::Avx512 => "avx512f",
        InstructionSet::Avx512Vnni => "avx512_vnni",
    };
    if arch == "x86_64" { has_one_of(&[flag], files) } else { Some(false) }
}

/// Whether an x86 processor has one of these; `None` where its instructions are not listed, or are not those of x86.
fn has_one_of(names: &[&str], files: &Files) -> Option<bool> {
    let text = files.text("proc/cpuinfo").ok()?;
    // Other architectures have a line `Features`, which lists other instructions.
    let (_, flags) =
        text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == "flags"))?;
    Some(flags.split_whitespace().any(|flag| names.contains(&flag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cpuinfo: Option<&str>) -> Option<bool> {
        asked(cpuinfo, has_vnni)
    }

    fn asked(cpuinfo: Option<&str>, ask: impl Fn(&Files) -> Option<bool>) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = cpuinfo {
            std::fs::create_dir(folder.path().join("proc")).unwrap();
            std::fs::write(folder.path().join("proc/cpuinfo"), text).unwrap();
        }
        ask(&Files::below(folder.path()))
    }

    #[test]
    fn another_architecture_has_none_of_the_instructions_and_x86_those_that_it_lists() {
        use InstructionSet::{Arm64, Avx2, Avx512, Avx512Vnni};
        let flags = Some("flags\t\t: fpu avx2 avx512f\n");
        let on = |arch: &'static str, cpuinfo| {
            [Arm64, Avx2, Avx512, Avx512Vnni].map(|set| asked(cpuinfo, |files| has(set, arch, files)))
        };
        assert_eq!(on("x86_64", flags), [Some(false), Some(true), Some(true), Some(false)]);
        assert_eq!(on("x86_64", None), [Some(false), None, None, None]);
        assert_eq!(on("aarch64", None), [Some(true), Some(false), Some(false), Some(false)]);
        assert_eq!(on("riscv64", None), [Some(false); 4]);
    }

    #[test]
    fn vnni_is_known_from_the_flags_of_an_x86_processor_and_of_no_other() {
        assert_eq!(found(Some("model name\t: A\nflags\t\t: fpu avx2 avx_vnni\n")), Some(true));
        assert_eq!(found(Some("flags\t\t: fpu avx512f avx512_vnni\n")), Some(true));
        assert_eq!(found(Some("flags\t\t: fpu avx2 fma\nvmx flags\t: avx_vnni\n")), Some(false));
        assert_eq!(found(Some("Features\t: fp asimd asimddp i8mm\n")), None);
        assert_eq!(found(None), None);
    }
}
