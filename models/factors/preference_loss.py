"""Objectives of networks that score pairs of a user and an item, and their confidence."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Objective = Callable[[Tensor, Tensor], Tensor]  # scores and preferences to a loss of each pair
Confidence = Callable[[Tensor], Tensor]  # values of pairs to how much each counts


def squared(score: Float[Tensor, " n"], preference: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the squared error of each pair."""
    return (score - preference).square()


def logistic(score: Float[Tensor, " n"], preference: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the cross entropy of each pair; scores are of any sign, before a sigmoid."""
    return functional.binary_cross_entropy_with_logits(score, preference, reduction="none")


def cross_entropy(
    score: Float[Tensor, " n"], preference: Float[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return the cross entropy of each pair; scores are probabilities."""
    return functional.binary_cross_entropy(score, preference, reduction="none")


def constant(value: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return 1 for every pair."""
    return value.new_ones(value.shape)


def by_value(value: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the value of every pair, such as the weight of an interaction."""
    return value


def preference_loss(
    score: Tensor, preference: Tensor, confidence: Tensor, objective: Objective
) -> Float[Tensor, ""]:
    """Return the mean loss of pairs, each counted by its confidence.

    Args:
        score: one for each pair, shape (n,).
        preference: what it should be, shape (n,).
        confidence: how much the pair counts, shape (n,).
        objective: loss of each pair.

    Raises:
        ValueError: shapes differ: a loss would silently be of every score with every preference.
    """
    if not score.shape == preference.shape == confidence.shape:
        raise ValueError(
            "scores, preferences and confidences must have one number for each pair, "
            f"got {tuple(score.shape)}, {tuple(preference.shape)}, {tuple(confidence.shape)}"
        )
    return (confidence * objective(score, preference)).mean()
