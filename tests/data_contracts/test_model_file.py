"""The model file: the same model as a night's, without a lake."""

import tomllib

import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from data_contracts.model_file import ModelFile, load_model_file, model_file_text


def test_empty_file_means_the_defaults_of_a_night(tmp_path):
    """No search, and the very settings that a night has."""
    path = tmp_path / "model.toml"
    path.write_text("", encoding="utf-8")
    file, night = load_model_file(path), NightlyConfig()
    assert file == load_model_file(None)
    assert (file.seed, file.model, file.training_config) == (
        night.seed,
        night.model,
        night.training,
    )
    assert file.evaluation.fold_in_share == night.evaluation.fold_in_share
    assert file.tune is None


def test_text_reads_back():
    """What a search writes is what evaluate reads."""
    file = ModelFile.model_validate(
        {"seed": 7, "model": {"alpha": 0.25}, "training": {"device": "cpu"}}
    )
    assert ModelFile.model_validate(tomllib.loads(model_file_text(file))) == file


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lake = 'x'", "lake: unknown key"),
        ("[training]\nwhere = 'deployment'", "training.where: unknown key"),
        ("[model]\nn_factor = 3", "model.elsa.n_factor: unknown key"),
        ("[model]\nkind = 'als'", "model: kind must be one of elsa, .*, random"),
        ("[model]\nkind = 'ease'\nn_factors = 3", "model.ease.n_factors: unknown key"),
        ("[model]\nkind = 'edlae'\ndropout = 1.0", "model.edlae.dropout: Input should be less"),
        ("[tune.space.elsa]\nrate = { choices = [1] }", "got rate"),
        ("seed = ", "must be a readable TOML file"),
    ],
)
def test_bad_file_names_key_and_reason(tmp_path, text, reason):
    """A key that would be without effect is refused too."""
    path = tmp_path / "model.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=reason):
        load_model_file(path)


def test_missing_file_says_what_to_do(tmp_path):
    """The file is not necessary at all."""
    with pytest.raises(ConfigError, match="or leave --config out for the defaults"):
        load_model_file(tmp_path / "none.toml")
