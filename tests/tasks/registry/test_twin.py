"""Which versions are marked as bad, and what takes a mark away."""

from datetime import date

import pytest

from data_contracts.ledger import LedgerEntry
from tasks.registry.twin import BadVersion, bad_versions, marked

BY = "one taste"


def decided(day, champion, *, challenger=None, action="night", bad=None, reason="", config="A"):
    """A decision of a September night, or of a person after it."""
    return LedgerEntry(
        run_date=date(2026, 9, day), challenger=challenger or champion, verdict="promote",
        reason=reason, champion=champion, previous=None, action=action, bad_version=bad,
        config_digest=config,
    )  # fmt: skip


NIGHTS = [decided(1, "1"), decided(2, "2", config="B")]
BACK = decided(2, "1", action="rollback", bad="2", reason=BY)
TWIN = "80% of its lists are those of version 2, which was rolled back (one taste), 60% the"


def test_version_rolled_back_is_marked_with_its_configuration():
    """From the next night on; that configuration has made nothing good."""
    assert marked([*NIGHTS, BACK]) == [BadVersion("2", BY, "B", config_is_bad=True)]
    assert bad_versions([*NIGHTS, BACK], date(2026, 9, 2)) == []
    assert bad_versions([*NIGHTS, BACK], date(2026, 9, 3)) == marked([*NIGHTS, BACK])


def test_configuration_that_made_the_good_version_too_is_not_to_blame():
    """Then the data were bad, or chance."""
    same = [decided(1, "1"), decided(2, "2"), BACK]
    assert marked(same) == [BadVersion("2", BY, "A", config_is_bad=False)]


@pytest.mark.parametrize(
    ("later", "bad"),
    [
        ([decided(3, "3")], ["2"]),  # a good model is promoted by the gate
        ([decided(3, "1", challenger="3"), decided(3, "3", action="promote")], ["2"]),  # or by hand
        ([decided(3, "1", challenger="3", reason=TWIN), decided(3, "3", action="promote")], []),
        ([decided(2, "2", action="promote")], []),
        ([decided(2, "2", action="rollback", bad="1")], ["1"]),  # the first one was the bad one
    ],
)
def test_mark_goes_when_somebody_has_looked_at_it(later, bad):
    """The version itself, or one held as its twin, was made champion by a person."""
    assert [each.version for each in marked([*NIGHTS, BACK, *later])] == bad
