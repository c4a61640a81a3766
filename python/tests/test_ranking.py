"""Neighbours, ranks and correlations of small tables."""

import pytest

from tailmark_worker.ranking import agreement, cosines, nearest, ranks, spearman


def test_neighbours_are_the_others_by_cosine_and_not_by_length() -> None:
    vectors = [[1, 0], [10, 1], [0, 1], [1, 1]]
    assert nearest(vectors, 3) == [[1, 3, 2], [0, 3, 2], [3, 1, 0], [1, 0, 2]]
    assert nearest(vectors, 1) == [[1], [0], [3], [1]]


def test_neighbours_that_are_equally_near_are_in_their_order() -> None:
    assert nearest([[1, 0], [0, 1], [0, 2], [0, 3]], 3)[0] == [1, 2, 3]


def test_agreement_is_the_share_in_common_whatever_the_order() -> None:
    assert agreement([[1, 2], [3, 4]], [[2, 1], [3, 5]]) == 0.75


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert ranks([10, 30, 20, 20, 5]).tolist() == [2, 5, 3.5, 3.5, 1]


def test_a_known_rank_correlation() -> None:
    # By hand: ranks 1 2 3 4 against 1.5 1.5 4 3, so 3.5 / sqrt(5 * 4.5).
    assert spearman([0.1, 0.2, 0.3, 0.4], [1, 1, 5, 2]) == pytest.approx(3.5 / (5 * 4.5) ** 0.5)
    assert spearman([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)


def test_without_variation_there_is_no_correlation() -> None:
    assert spearman([1, 2, 3], [7, 7, 7]) is None


def test_a_zero_vector_is_like_another_zero_vector_and_like_nothing_else() -> None:
    assert cosines([[0, 0], [0, 0], [3, 0]], [[0, 0], [1, 0], [5, 0]]).tolist() == [1, 0, 1]
