"""A judged night: figures on one ground, with errors, segments, exposure and the words for them."""

import numpy as np
import pytest

from models.metric.metric import evaluate
from models.metric.segment import TIERS
from tasks.history.matrix import finished_matrices
from tasks.judging import contender
from tasks.judging.figures import estimate_figures
from tasks.judging.held_out import HeldOut, held_out_users
from tasks.judging.judging import judge_model
from tasks.judging.measuring import BY_TIER, INTERACTIONS, measure_all, segment_figures
from tasks.steps import read_manifest
from tasks.vocabulary.vocabulary import read_vocabulary
from tests.tiny_night import run_night, tiny_shop


def judged_again(night, **gate):
    """Judge a finished night with another gate."""
    from data_contracts.manifests import TrainManifest

    config = night.config.model_copy(update={"gate": night.config.gate.model_copy(update=gate)})
    night = night.model_copy(update={"config": config})
    train = read_manifest(night.step("train"), TrainManifest)
    return judge_model(night, finished_matrices(night), train)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """The second night of a small shop; the first made the champion."""
    first, second = tiny_shop(tmp_path_factory.mktemp("lake"))
    run_night(first)
    run_night(second)
    return second


def test_figures_are_those_of_the_lists(night):
    """Of every model on the same users; the gain is the difference of the means."""
    judge = judged_again(night)
    held_out = held_out_users(night, finished_matrices(night))
    challenger = contender.from_step(night, "judged", finished_matrices(night).n_items)
    expected = evaluate(
        challenger.model, fold_in=held_out.fold_in, target=held_out.target,
        eligible=challenger.known,
    )  # fmt: skip
    for name, values in expected.items():
        figure = judge.metrics["challenger"][name]
        assert figure.mean == pytest.approx(values.mean(), abs=1e-12)
        assert figure.n_users == judge.n_users == len(held_out.n_before)
        over = judge.metrics["challenger"][name].mean - judge.metrics["champion"][name].mean
        assert judge.gain_over_champion[name].mean == pytest.approx(over, abs=1e-12)
    assert set(judge.metrics) == {"challenger", "champion", "popularity"}
    assert len(judge.metrics["challenger"]) == 18
    gain = judge.gain_over_champion["ndcg@100"]
    assert judge.detectable["ndcg@100"] == pytest.approx(2.8016 * gain.standard_error, rel=1e-4)


def test_segments_add_up_and_exposure_is_of_all_places(night):
    """Every judged user is in one segment of activity; shares are of one."""
    judge = judged_again(night)
    for title in ("activity, items shown", "users"):
        users = [figures["challenger"].n_users for figures in judge.segments[title].values()]
        assert sum(users) == judge.n_users
        means = [figures["challenger"].mean for figures in judge.segments[title].values()]
        whole = judge.metrics["challenger"]["ndcg@100"].mean
        assert np.average(means, weights=users) == pytest.approx(whole)
    assert set(judge.segments[BY_TIER]) <= set(TIERS)
    assert set(judge.exposure) == {*judge.metrics, INTERACTIONS}
    for shares in judge.exposure.values():
        assert sum(shares.values()) == pytest.approx(1.0)
    assert judge.exposure["popularity"]["head"] > judge.exposure[INTERACTIONS]["head"]


def test_the_words_go_with_the_figures(night):
    """Split, leak, universe, seed, recall rule, users without a target."""
    words = judged_again(night).settings
    assert words["leak"] == "none"
    assert words["split"].startswith(f"temporal: everything before {night.cut} is known")
    assert {"item universe", "seed", "recall rule", "targets", "power"} <= set(words)
    assert words["users"].endswith("without a target")


def test_too_few_users_cannot_be_judged_unless_the_gate_says_promote(night):
    """The verdict stays, what becomes of the challenger is the configuration's."""
    few = judged_again(night)
    assert (few.verdict, few.promotes) == ("cannot judge", False)
    assert f"{few.n_users} users were judged, at least 1200 are needed" in few.reason
    trusting = judged_again(night, unjudged="promote")
    assert (trusting.verdict, trusting.promotes) == ("cannot judge", True)
    assert trusting.reason.endswith("promoted all the same (gate.unjudged)")


def test_guards_are_those_of_the_configuration(night):
    """Lists of another fit differ a little: a limit of nothing holds the challenger."""
    judge = judged_again(night, min_users=2, margin=1.0, max_coverage_loss=1.0)
    assert (judge.verdict, judge.promotes) == ("promote", True)
    strict = judged_again(
        night, min_users=2, margin=1.0, max_coverage_loss=1.0, max_list_change=0.0
    )
    assert strict.verdict == "hold"
    assert "list_change@20" in strict.reason


def test_nobody_to_judge_is_no_error(night):
    """A day on which everybody met what they knew: no figures, and no verdict."""
    matrices = finished_matrices(night)
    held_out = HeldOut(*(part[:0] for part in held_out_users(night, matrices)))
    contenders = {"challenger": contender.from_step(night, "judged", matrices.n_items)}
    item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
    ground, measured = measure_all(night, matrices, held_out, contenders, item_ids)
    figures = estimate_figures(measured, night.config, matrices.n_items)
    assert set(figures) == {"challenger", "popularity", "over popularity"}
    assert not any(figures.values())
    assert not any(segment_figures(ground, measured, "ndcg@100").values())
