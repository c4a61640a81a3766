//! Which instructions the processor has, as far as `/proc/cpuinfo` lists them. Knows nothing of what they are good for.

use super::source::Files;

/// The instructions that add products of 8-bit integers in 32 bits, as Linux names them.
const VNNI: [&str; 2] = ["avx512_vnni", "avx_vnni"];

/// Whether the processor has VNNI; `None` where its instructions are not listed, or are not those of x86.
pub(super) fn has_vnni(files: &Files) -> Option<bool> {
    let text = files.text("proc/cpuinfo").ok()?;
    // Other architectures have a line `Features`, which lists other instructions.
    let (_, flags) =
        text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == "flags"))?;
    Some(flags.split_whitespace().any(|flag| VNNI.contains(&flag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cpuinfo: Option<&str>) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = cpuinfo {
            std::fs::create_dir(folder.path().join("proc")).unwrap();
            std::fs::write(folder.path().join("proc/cpuinfo"), text).unwrap();
        }
        has_vnni(&Files::below(folder.path()))
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
