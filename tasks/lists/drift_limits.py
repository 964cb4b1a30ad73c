"""Which figures of the lists lie beyond a bound, in sentences."""

from collections.abc import Mapping

from data_contracts.drift import DriftLimits, SurfaceDrift

_MEANING = {
    "overlap": "the share of a list that stays",
    "rank_overlap": "the rank-biased overlap with the list before",
    "changed_users": "the share of users with another list",
    "items_in": "the share of listed items that are new",
    "items_out": "the share of items listed before that are gone",
    "popular_users": "the share of users with the popular list",
    "popular_overlap": "the share of a list that is in the popular list",
}
_OF_USERS = ("overlap", "rank_overlap", "changed_users")  # nothing without users of both nights


def crossed(
    figures: Mapping[str, SurfaceDrift], limits: DriftLimits, section: str
) -> tuple[str, ...]:
    """Return a sentence for every figure of a surface that lies beyond its bound.

    Args:
        figures: surface -> its figures.
        limits: the bounds.
        section: of the configuration, where the bounds stand.
    """
    sentences = []
    for name, surface in figures.items():
        for limit, bound in limits.model_dump(exclude_none=True).items():
            side, _, figure = limit.partition("_")
            got = getattr(surface, figure)
            if figure in _OF_USERS and not surface.shared_users:
                continue
            if got < bound if side == "min" else got > bound:
                at = "at least" if side == "min" else "at most"
                sentences.append(
                    f"{name}: {_MEANING[figure]} must be {at} {bound:.1%}, got {got:.1%} "
                    f"({section}.{limit})"
                )
    return tuple(sentences)
