//! Vectors that are wrong in known ways, made from the reference vectors of the known model.

use std::f64::consts::FRAC_1_SQRT_2;

use tailmark_providers::model::{self, Reference};

use super::*;

fn reference() -> Reference {
    model::find("sentence-transformers/all-MiniLM-L6-v2").expect("in the catalog").reference()
}

fn right(reference: &Reference) -> Answers {
    Answers {
        alone: reference.vectors.clone(),
        again: reference.vectors.clone(),
        together: reference.vectors.clone(),
        token_counts: reference.token_counts.clone(),
    }
}

fn compared(reference: &Reference, answers: &Answers) -> Comparison {
    let expected = Expected {
        texts: &reference.texts,
        vectors: &reference.vectors,
        token_counts: &reference.token_counts,
    };
    compare(expected, answers, None)
}

/// Vectors that are as far off as saturation puts them, of a graph that this is known of.
fn compared_of_int8(reference: &Reference, int8: &Int8Graph) -> Comparison {
    let off = |vector: &[f32]| {
        let mut vector = vector.to_vec();
        let half = vector.len() / 2;
        vector[..half].iter_mut().for_each(|number| *number *= 0.4);
        let length = quality::length(&vector) as f32;
        vector.iter().map(|number| number / length).collect()
    };
    let answers = everywhere(reference, off);
    let expected = Expected {
        texts: &reference.texts,
        vectors: &reference.vectors,
        token_counts: &reference.token_counts,
    };
    compare(expected, &answers, Some(int8))
}

#[test]
fn saturation_is_named_when_it_is_that_and_not_when_it_cannot_be() {
    let reference = reference();
    let graph = Int8Graph {
        exact_cosine: 0.9712,
        reduced_range: false,
        kernels_saturate: Some(true),
        command: "tailmark model quantize NAME".to_owned(),
    };
    let found = compared_of_int8(&reference, &graph);
    assert_eq!(
        only_finding(&found),
        format!(
            "in exact arithmetic this graph's vectors have a cosine similarity of at least 0.9712, but only {:.4} here: \
             this processor has no VNNI, so its int8 kernels saturate; make the graph again on this machine with \
             `tailmark model quantize NAME`, which reduces the range of the weights if that helps",
            found.min_cosine
        )
    );
    // A graph that is wrong in exact arithmetic too, weights that cannot saturate, kernels that do not, or nothing known.
    for other in [
        Int8Graph { exact_cosine: 0.6, ..graph.clone() },
        Int8Graph { reduced_range: true, ..graph.clone() },
        Int8Graph { kernels_saturate: Some(false), ..graph.clone() },
        Int8Graph { kernels_saturate: None, ..graph.clone() },
    ] {
        let found = compared_of_int8(&reference, &other);
        assert!(
            only_finding(&found).contains("the pooling, the weights or the tokenizer"),
            "{other:?}: {found:?}"
        );
    }
    // If something else explains the vectors, the processor is not blamed.
    let first = reference.vectors[0].clone();
    let expected = Expected {
        texts: &reference.texts,
        vectors: &reference.vectors,
        token_counts: &reference.token_counts,
    };
    let same = compare(expected, &everywhere(&reference, |_| first.clone()), Some(&graph));
    assert!(only_finding(&same).contains("does not depend on the input"), "{:?}", same.findings);
}

fn everywhere(reference: &Reference, change: impl Fn(&[f32]) -> Vec<f32>) -> Answers {
    let changed: Vec<Vec<f32>> = reference.vectors.iter().map(|vector| change(vector)).collect();
    Answers { alone: changed.clone(), again: changed.clone(), together: changed, ..right(reference) }
}

/// The only finding, of a comparison that ended in the class `Wrong`.
fn only_finding(comparison: &Comparison) -> &str {
    assert_eq!(comparison.class, EquivalenceClass::Wrong);
    let [finding] = &comparison.findings[..] else { panic!("{:?}", comparison.findings) };
    finding
}

#[test]
fn the_reference_itself_is_exact() {
    let reference = reference();
    let found = compared(&reference, &right(&reference));
    assert_eq!((found.class, found.findings.len()), (EquivalenceClass::Exact, 0));
    assert_eq!((found.max_abs_difference, found.repeat_difference, found.batch_difference), (0.0, 0.0, 0.0));
    assert!(found.max_length_error < 1e-6, "{}", found.max_length_error);
}

#[test]
fn numbers_of_16_bits_are_a_class_of_their_own() {
    let reference = reference();
    // Eight bits of mantissa, as bfloat16 has them.
    let coarse = |vector: &[f32]| {
        vector.iter().map(|number| f32::from_bits(number.to_bits() & 0xffff_0000)).collect::<Vec<f32>>()
    };
    let found = compared(&reference, &everywhere(&reference, coarse));
    assert!(found.findings.is_empty(), "{found:?}");
    assert_eq!(found.class, EquivalenceClass::Fp16);
    assert_eq!([class_of(0.967), class_of(0.838)], [EquivalenceClass::Int8, EquivalenceClass::Wrong]);
    assert_eq!(least_cosine(EquivalenceClass::Wrong), None);
}

#[test]
fn vectors_that_are_rotated_are_wrong_although_every_similarity_is_kept() {
    let reference = reference();
    // Each two neighboring numbers are turned by 45 degrees: an orthogonal matrix.
    let turned = |vector: &[f32]| {
        let pairs = vector.chunks_exact(2).flat_map(|pair| {
            let (a, b) = (f64::from(pair[0]), f64::from(pair[1]));
            [FRAC_1_SQRT_2 * (a - b), FRAC_1_SQRT_2 * (a + b)]
        });
        pairs.map(|number| number as f32).collect::<Vec<f32>>()
    };
    let found = compared(&reference, &everywhere(&reference, turned));
    assert!(only_finding(&found).contains("they are rotated"), "{:?}", found.findings);
}

#[test]
fn rows_that_are_swapped_in_a_request_are_wrong_and_named() {
    let reference = reference();
    let mut answers = right(&reference);
    answers.together.swap(0, 3);
    let found = compared(&reference, &answers);
    let finding = only_finding(&found);
    assert!(finding.starts_with("vectors are returned in a different order than their texts"), "{finding}");
    assert!(finding.contains(&quoted(&reference.texts[0])) && finding.contains(&quoted(&reference.texts[3])));
    assert!(found.batch_difference > 0.01);
}

#[test]
fn an_output_that_does_not_depend_on_the_input_is_wrong() {
    let reference = reference();
    let first = reference.vectors[0].clone();
    let found = compared(&reference, &everywhere(&reference, |_| first.clone()));
    assert!(only_finding(&found).contains("does not depend on the input"), "{:?}", found.findings);
}

#[test]
fn vectors_that_are_not_normalized_are_wrong_although_their_direction_is_right() {
    let reference = reference();
    let found = compared(
        &reference,
        &everywhere(&reference, |vector| vector.iter().map(|number| number * 3.0).collect()),
    );
    assert!(found.min_cosine > 0.999_99);
    assert!(only_finding(&found).contains("has length 3.000 instead of 1"), "{:?}", found.findings);
}

#[test]
fn noise_is_told_apart_from_leaking_padding() {
    let reference = reference();
    let nudged = |vector: &Vec<f32>| {
        let mut vector = vector.clone();
        vector[0] += 0.02;
        vector
    };
    let mut unsteady = right(&reference);
    unsteady.again = unsteady.again.iter().map(nudged).collect();
    let found = compared(&reference, &unsteady);
    assert!(found.findings[0].contains("not deterministic"), "{:?}", found.findings);
    let mut leaking = right(&reference);
    leaking.together = leaking.together.iter().map(nudged).collect();
    let found = compared(&reference, &leaking);
    assert!(
        found.findings[0].contains("changes by up to 0.020 depending on the other texts"),
        "{:?}",
        found.findings
    );
}

#[test]
fn a_text_with_other_tokens_is_named_where_its_vector_is_off() {
    let reference = reference();
    let mut answers = right(&reference);
    let longest = (0..reference.texts.len()).max_by_key(|text| reference.token_counts[*text]).expect("texts");
    answers.token_counts[longest] = 128;
    assert!(compared(&reference, &answers).findings.is_empty(), "its vector is right");
    let mut other = reference.vectors[longest].clone();
    other.rotate_right(1);
    for list in [&mut answers.alone, &mut answers.again, &mut answers.together] {
        list[longest].clone_from(&other);
    }
    let found = compared(&reference, &answers);
    assert!(
        only_finding(&found).contains("has 128 tokens here and 256 in the reference"),
        "{:?}",
        found.findings
    );
    assert_eq!(found.lowest, longest);
}

#[test]
fn neighbors_agree_by_their_share() {
    let at = |angle: f32| vec![angle.cos(), angle.sin()];
    let vectors: Vec<Vec<f32>> = [0.0, 0.1, 0.3, 1.5].map(at).to_vec();
    let nearest = vec![vec![1, 2], vec![0, 2], vec![1, 0], vec![2, 1]];
    assert_eq!(nearest_agreement(&nearest, &vectors), Some(1.0));
    let of_another_place = vec![vec![1, 3], vec![0, 2], vec![1, 0], vec![2, 1]];
    assert_eq!(nearest_agreement(&of_another_place, &vectors), Some(7.0 / 8.0));
    assert_eq!(nearest_agreement(&[], &[]), None);
}

#[test]
fn rank_correlation_shares_ranks_among_equals() {
    // Worked by hand: ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4 have the covariance 4.5 over sqrt(4.5 * 5).
    let found = spearman(&[1.0, 2.0, 2.0, 9.0], &[10.0, 30.0, 20.0, 40.0]).expect("four pairs");
    assert!((found - 4.5 / (4.5_f64 * 5.0).sqrt()).abs() < 1e-12, "{found}");
    assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
    assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    assert_eq!(spearman(&[1.0], &[1.0]), None);
}

#[test]
fn a_cache_is_seen_and_a_noisy_backend_is_not_taken_for_one() {
    let new = [900, 1_000, 1_100, 1_050];
    let seen = repeats(&[40, 41, 39, 60], &new).expect("times");
    assert_eq!((seen.repeated_ns, seen.new_ns, seen.caching), (40, 1_000, true));
    let one_slow_repeat = repeats(&[40, 41, 39, 950], &new).expect("times");
    assert!(!one_slow_repeat.caching, "one repeat was computed");
    assert!(!repeats(&[700, 710, 690, 720], &new).expect("times").caching, "warm caches of a processor");
    assert_eq!(repeats(&[], &new), None);
}

/// The reference as a model with weights that were never trained would have it: every text near one direction, `apart` from it.
fn nearly_parallel(apart: f32) -> Reference {
    let mut reference = reference();
    for vector in &mut reference.vectors {
        vector.iter_mut().for_each(|number| *number *= apart);
        vector[0] += 1.0;
        let length = quality::length(vector) as f32;
        vector.iter_mut().for_each(|number| *number /= length);
    }
    reference
}

/// Another text's vectors: as wrong as vectors can be.
fn of_other_texts(reference: &Reference) -> Answers {
    let mut vectors = reference.vectors.clone();
    vectors.rotate_left(1);
    Answers { alone: vectors.clone(), again: vectors.clone(), together: vectors, ..right(reference) }
}

#[test]
fn a_model_whose_texts_are_all_alike_cannot_tell_right_vectors_from_those_of_other_texts() {
    let reference = nearly_parallel(0.01);
    let found = compared(&reference, &of_other_texts(&reference));
    assert!(found.min_cosine > 0.9995, "by its cosine alone it would be fp16-class: {}", found.min_cosine);
    assert_eq!(found.class, EquivalenceClass::CannotTell);
    let said = found.findings.last().expect("a finding");
    assert!(said.contains("nearly parallel (their median cosine similarity is 0.999"), "{said}");
    // The very same numbers are the same, however near the others are.
    assert_eq!(compared(&reference, &right(&reference)).class, EquivalenceClass::Exact);
}

#[test]
fn a_model_whose_texts_are_apart_keeps_its_classes() {
    // As far from one another as those of models with a high mean similarity, such as e5, are.
    let reference = nearly_parallel(0.6);
    let noisy =
        |vector: &[f32]| vector.iter().map(|number| (number * 64.0).round() / 64.0).collect::<Vec<f32>>();
    let found = compared(
        &reference,
        &everywhere(&reference, |vector| {
            let vector = noisy(vector);
            let length = quality::length(&vector) as f32;
            vector.iter().map(|number| number / length).collect()
        }),
    );
    assert!(found.min_cosine < 0.9995, "{}", found.min_cosine);
    assert_eq!(found.class, EquivalenceClass::Int8, "{}", found.min_cosine);
    assert_eq!(compared(&reference, &of_other_texts(&reference)).class, EquivalenceClass::Wrong);
}

#[test]
fn a_class_is_told_only_where_its_bound_is_small_against_the_spread() {
    let told = |cosine, spread| class_within(cosine, spread);
    assert_eq!(told(0.97, 0.9), EquivalenceClass::Int8);
    assert_eq!(told(0.97, 0.09), EquivalenceClass::CannotTell);
    assert_eq!(told(0.9999, 0.09), EquivalenceClass::Fp16);
    assert_eq!(told(0.9999, 0.000_9), EquivalenceClass::CannotTell);
    assert_eq!(told(1.0, 0.000_9), EquivalenceClass::Exact);
    assert_eq!(told(0.5, 0.000_9), EquivalenceClass::Wrong);
}
