"""Shards side by side: results in order, errors at the caller, one shard ahead."""

import threading

import pytest

from tasks.shard_threads import for_every_shard, in_two_steps


@pytest.mark.parametrize("n_shards", [0, 1, 5])
def test_results_come_in_order_of_shards(n_shards):
    """Whichever thread made them."""
    expected = [10 * shard + 1 for shard in range(n_shards)]
    assert (
        in_two_steps(lambda shard: 9 * shard, lambda shard, x: x + shard + 1, n_shards, "at it")
        == expected
    )
    assert for_every_shard(lambda shard: 10 * shard + 1, n_shards, "at it") == expected


def test_the_first_step_is_one_shard_ahead():
    """So that two of them are in memory, and first steps follow one another."""
    begun, ended, ahead = [], [], []
    begun_next = threading.Event()

    def first(shard):
        begun.append(shard)
        ahead.append(len(begun) - len(ended))
        if shard == 1:
            begun_next.set()
        return shard

    def then(shard, _):
        if shard == 0:
            assert begun_next.wait(10.0)  # until the first step is at the next shard
        ended.append(shard)

    in_two_steps(first, then, 4, "at it")
    assert begun == ended == [0, 1, 2, 3]
    assert max(ahead) <= 3


@pytest.mark.parametrize("bad", [0, 2, 3])
def test_an_error_of_either_step_is_the_callers(bad):
    """No shard after it is begun but the one under way."""

    def fails(shard):
        if shard == bad:
            raise ValueError(f"shard {shard}")
        return shard

    for first, then in ((fails, lambda shard, _: shard), (int, lambda shard, _: fails(shard))):
        with pytest.raises(ValueError, match=f"shard {bad}"):
            in_two_steps(first, then, 4, "at it")
    with pytest.raises(ValueError, match=f"shard {bad}"):
        for_every_shard(fails, 4, "at it")
