"""Human titles and sentences for the items of a sample shop."""

import numpy as np

from models.shop.shop_words import AISLES, MAKERS, Aisle


def name_items(category: np.ndarray, *, seed: int) -> tuple[list[str], list[str]]:
    """Return a title and a sentence for every item; titles are unique.

    Args:
        category: index into AISLES of every item, shape (n_items,).
        seed: decides who makes what.

    Returns:
        Titles and sentences, in the order of the items.
    """
    titles, texts = [""] * len(category), [""] * len(category)
    for number, aisle in enumerate(AISLES):
        items = np.flatnonzero(category == number)
        order = np.random.default_rng([seed, number]).permutation(_n_names(aisle))
        for place, item in enumerate(items):
            series, name = divmod(place, len(order))
            titles[item], texts[item] = _name(aisle, int(order[name]), series)
    return titles, texts


def _n_names(aisle: Aisle) -> int:
    return len(MAKERS) * len(aisle.adjectives) * len(aisle.nouns) * len(aisle.variants)


def _name(aisle: Aisle, number: int, series: int) -> tuple[str, str]:
    number, maker = divmod(number, len(MAKERS))
    number, adjective = divmod(number, len(aisle.adjectives))
    variant, noun = divmod(number, len(aisle.nouns))
    thing = f"{aisle.adjectives[adjective]} {aisle.nouns[noun]}"
    kind = aisle.variants[variant] + (f", series {series + 1}" if series else "")
    title = f"{MAKERS[maker]} {thing}, {kind}"
    article = "An" if thing[0] in "aeiou" else "A"
    return title, f"{article} {thing} ({kind}) by {MAKERS[maker]}, made for {aisle.purpose}."
