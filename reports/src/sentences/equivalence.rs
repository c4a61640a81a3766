//! How close a backend's vectors are, in words: the class, and for vectors that are not exact what that comes to in use.

use crate::execution::class_name;
use crate::record::{Equivalence, EquivalenceClass};
use crate::units::{counted, percent};

/// The class in a word for a column: `exact`, `fp16`, `int8`, `wrong`, or `unchecked`.
pub(crate) fn in_short(equivalence: &Equivalence) -> &'static str {
    match equivalence {
        Equivalence::NotChecked { .. } => "unchecked",
        Equivalence::Checked { class, .. } => match class {
            EquivalenceClass::Exact => "exact",
            EquivalenceClass::Fp16 => "fp16",
            EquivalenceClass::Int8 => "int8",
            EquivalenceClass::CannotTell => "cannot tell",
            EquivalenceClass::Wrong => "wrong",
        },
    }
}

/// The class with the smallest cosine, for example `vectors exact (cosine >= 0.9999997)`; below exact also the nearest
/// neighbors and the rank correlation with graded pairs.
pub(crate) fn in_full(equivalence: &Equivalence) -> String {
    match equivalence {
        Equivalence::NotChecked { why } => format!("vectors not checked: {why}"),
        Equivalence::Checked {
            class, accepts, accepted, min_cosine, mean_cosine, neighbors, graded, ..
        } => {
            let mut said = format!("vectors {}", class_name(*class));
            if *class == EquivalenceClass::Exact {
                said.push_str(&format!(" (cosine >= {})", cosine(*min_cosine)));
                return said;
            }
            if !accepted && *class != EquivalenceClass::Wrong {
                said.push_str(&format!(" (the scenario accepts {} or better)", class_name(*accepts)));
            }
            said.push_str(&format!(": cosine >= {}, mean {}", cosine(*min_cosine), cosine(*mean_cosine)));
            if let Some(found) = neighbors {
                let nearest = counted(found.of.into(), "nearest neighbor");
                said.push_str(&format!("; {} of the {nearest} kept", percent(found.agreement)));
            }
            if let Some(graded) = graded {
                let (own, reference) = (graded.spearman, graded.reference_spearman);
                said.push_str(&format!("; Spearman {own:.3} against the reference's {reference:.3}"));
            }
            said
        }
    }
}

/// How well the vectors rank graded pairs: Spearman's rank correlation with three decimals; `None` if that was not looked at.
pub(crate) fn quality(equivalence: &Equivalence) -> Option<String> {
    match equivalence {
        Equivalence::Checked { graded: Some(graded), .. } => Some(format!("{:.3}", graded.spearman)),
        _ => None,
    }
}

/// Whether the vectors are known to be the reference's but for the order of summation.
pub(crate) fn is_exact(equivalence: &Equivalence) -> bool {
    matches!(equivalence, Equivalence::Checked { class: EquivalenceClass::Exact, .. })
}

/// What was recognized to be wrong with the vectors.
pub(crate) fn findings(equivalence: &Equivalence) -> &[String] {
    match equivalence {
        Equivalence::Checked { findings, .. } => findings,
        Equivalence::NotChecked { .. } => &[],
    }
}

/// A cosine similarity with as many digits as tell it from 1, at least three and at most seven; never rounded up, so that
/// it is a lower bound as it stands.
fn cosine(value: f64) -> String {
    let digits = match 1.0 - value {
        little if little <= 1e-7 => 7,
        // 1 - 0.99999 is a little under 0.00001, which would take a digit more.
        short_of_one => (-short_of_one.log10() - 1e-6).ceil().clamp(3.0, 7.0) as usize,
    };
    let scale = 10_f64.powi(digits as i32);
    // A decimal such as 0.29 lies a little under what it says: without the allowance it would lose its last digit.
    let floor = (value * scale + 1e-6).floor() / scale;
    format!("{floor:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{exact, int8, pooled_wrongly};

    #[test]
    fn exact_vectors_are_said_in_a_few_words_and_others_with_what_it_comes_to() {
        assert_eq!(in_full(&exact()), "vectors exact (cosine >= 0.9999997)");
        assert_eq!(
            in_full(&int8()),
            "vectors int8-class: cosine >= 0.984, mean 0.989; 93 % of the 10 nearest neighbors kept; \
             Spearman 0.881 against the reference's 0.893"
        );
        assert_eq!(in_full(&pooled_wrongly()), "vectors wrong: cosine >= 0.412, mean 0.613");
        assert_eq!(findings(&pooled_wrongly()).len(), 2);
        assert!(findings(&exact()).is_empty());
        let unchecked = Equivalence::NotChecked { why: "it answers without a model".into() };
        assert_eq!(in_full(&unchecked), "vectors not checked: it answers without a model");
        let words = [exact(), int8(), pooled_wrongly(), unchecked].map(|equivalence| in_short(&equivalence));
        assert_eq!(words, ["exact", "int8", "wrong", "unchecked"]);
    }

    #[test]
    fn a_class_that_is_not_accepted_says_which_one_is() {
        let mut equivalence = int8();
        if let Equivalence::Checked { accepts, accepted, .. } = &mut equivalence {
            (*accepts, *accepted) = (EquivalenceClass::Fp16, false);
        }
        let said = in_full(&equivalence);
        assert!(
            said.starts_with("vectors int8-class (the scenario accepts fp16-class or better): cosine"),
            "{said}"
        );
    }

    #[test]
    fn a_cosine_is_never_rounded_up() {
        let written = [
            0.984,
            0.889_9,
            0.999_97,
            0.999_99,
            0.999_999_7,
            0.999_999_96,
            0.999_999_999,
            1.0,
            1.000_000_1,
            -0.25,
        ];
        let expected = [
            "0.984",
            "0.889",
            "0.99997",
            "0.99999",
            "0.9999997",
            "0.9999999",
            "0.9999999",
            "1.0000000",
            "1.0000001",
            "-0.250",
        ];
        assert_eq!(written.map(cosine), expected);
    }
}
