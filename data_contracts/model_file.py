"""A model and how it is fitted, apart from any lake: what evaluate and tune read."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from data_contracts.config import (
    EvaluationConfig,
    NightlyConfig,
    TrainingConfig,
)
from data_contracts.config_file import read_config
from data_contracts.config_text import section_text
from data_contracts.frozen import Frozen
from data_contracts.model_config import ModelConfig, model_kinds
from data_contracts.surface import Share
from data_contracts.tuning import TuneConfig, check_space

_NIGHT, _TRAINING, _EVALUATION = NightlyConfig(), TrainingConfig(), EvaluationConfig()


class FileTraining(Frozen):
    """Where the model is trained, and which users stop it early."""

    device: Literal["auto", "cpu", "cuda"] = _TRAINING.device
    """"auto" takes the GPU where there is one; the choice is told."""
    validation_share: Share = _TRAINING.validation_share
    """Share of users held out of the fit for early stopping and for the search."""
    max_validation_users: PositiveInt = _TRAINING.max_validation_users
    """Most users held out of the fit."""
    max_memory_gb: PositiveFloat | None = _TRAINING.max_memory_gb
    """Most memory of a model of items x items; by default what the machine has free."""


class FileEvaluation(Frozen):
    """How the users held out of the fit are judged."""

    fold_in_share: Annotated[float, Field(gt=0.0, lt=1.0)] = _EVALUATION.fold_in_share
    """Share of their items that is shown, the rest is asked."""


class ModelFile(Frozen):
    """Everything that evaluate and tune need to know besides the data; every key may be absent."""

    seed: NonNegativeInt = _NIGHT.seed
    """Every random choice follows from it."""
    model: ModelConfig = _NIGHT.model
    training: FileTraining = FileTraining()
    evaluation: FileEvaluation = FileEvaluation()
    tune: TuneConfig | None = None
    """What is searched before the model is judged; without it the model stands as it is."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tune is not None:
            check_space(self.tune, model_kinds())
        return self

    @property
    def training_config(self) -> TrainingConfig:
        """The same settings as a night has them."""
        return TrainingConfig(**self.training.model_dump())


def load_model_file(path: Path | None) -> ModelFile:
    """Return what a model file says, the defaults without one.

    Raises:
        ConfigError: the file is missing, is not TOML, or holds an unknown key or a bad value.
    """
    if path is None:
        return ModelFile()
    missing = "name a file with a [model] section, or leave --config out for the defaults"
    return read_config(path, ModelFile, missing=missing)


def model_file_of(config: NightlyConfig) -> ModelFile:
    """Return what a night's configuration says of its model."""
    training, evaluation = config.training, config.evaluation
    return ModelFile(
        seed=config.seed,
        model=config.model,
        training=FileTraining(
            device=training.device,
            validation_share=training.validation_share,
            max_validation_users=training.max_validation_users,
            max_memory_gb=training.max_memory_gb,
        ),
        evaluation=FileEvaluation(fold_in_share=evaluation.fold_in_share),
        tune=config.tune,
    )


def model_file_text(file: ModelFile) -> str:
    """Return a model file with every key of a fit, its meaning and its value; no search."""
    sections = {"model": file.model, "training": file.training, "evaluation": file.evaluation}
    texts = [section_text(section, name) for name, section in sections.items()]
    return "\n".join([f"seed = {file.seed}  # {_ABOUT_SEED}\n", *texts])


_ABOUT_SEED = ModelFile.model_fields["seed"].description
