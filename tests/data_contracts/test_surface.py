"""Surfaces: what their configuration takes and refuses."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_contracts.config import NightlyConfig
from data_contracts.surface import SurfaceConfig

PAGE = Path(__file__).parents[2] / "deploy" / "rules.md"


def test_the_example_of_the_page_is_a_configuration():
    """And it names every rule that the page explains."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    surface = NightlyConfig.model_validate(tomllib.loads(example)).surfaces["mail"]
    assert surface.seen == {"purchase": "always", "add_to_cart": 30, "view": "never"}
    left_out = set(SurfaceConfig.model_fields) - surface.model_fields_set
    assert left_out == {"pool", "content_places", "fallback"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"boosts": {"a": float("inf")}}, "finite"),
        ({"boosts": {"a": 0.0}}, "greater than 0"),
        ({"min_score": float("nan")}, "finite"),
        ({"seen": {"view": 0}}, "greater than 0"),
        ({"seen": {"view": "sometimes"}}, "always"),
        ({"category_caps": {"a": -1}}, "greater than or equal to 0"),
        ({"rotation": 1.5}, "less than or equal to 1"),
        ({"fallback": ["popular", "popular"]}, "fallback must name a tier once"),
    ],
)
def test_what_makes_no_sense_is_refused(given, message):
    """At the beginning of a night, not at its end."""
    with pytest.raises(ValidationError, match=message):
        SurfaceConfig.model_validate(given)
