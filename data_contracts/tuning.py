"""What a search of hyper-parameters tries, and the check that a model has such keys."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, get_args

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    Tag,
    ValidationError,
    model_validator,
)

from data_contracts.frozen import Frozen

Value = bool | int | float | str


class Range(Frozen):
    """Numbers between two bounds; whole ones where the key of the model is whole."""

    low: float
    """Smallest value tried."""
    high: float
    """Largest value tried."""
    log: bool = False
    """Whether values are spread by factors rather than by differences."""
    step: PositiveFloat | None = None
    """Distance of the values tried, if any."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be positive where log is true, got {self.low}")
        if self.log and self.step is not None:
            raise ValueError("step must be left out where log is true")
        return self


class Choices(Frozen):
    """A few values to choose from."""

    choices: Annotated[tuple[Value, ...], Field(min_length=1)]
    """The values tried."""


def _shape(value: object) -> str:
    listed = "choices" in value if isinstance(value, Mapping) else isinstance(value, Choices)
    return "choices" if listed else "range"


Parameter = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_shape)
]
Space = dict[str, Parameter]
_FACTORS = Choices(choices=(32, 64, 128, 256))
_NETWORK: Space = {
    "n_factors": Choices(choices=(64, 128, 200, 400)),
    "n_hidden": Choices(choices=(0, 300, 600)),
    "learning_rate": Range(low=0.0003, high=0.003, log=True),
    "dropout": Range(low=0.2, high=0.7),
}
_DEFAULT_SPACE: dict[str, Space] = {
    "elsa": {
        "learning_rate": Range(low=0.01, high=0.3, log=True),
        "batch_size": Choices(choices=(256, 512, 1024, 2048)),
        "n_factors": Choices(choices=(64, 128, 256, 512)),
        "alpha": Range(low=0.0, high=0.8),
        "beta": Range(low=0.0, high=0.8),
        "gamma": Range(low=0.0, high=1.0),
    },
    "compressed_elsa": {
        "learning_rate": Range(low=0.01, high=0.3, log=True),
        "batch_size": Choices(choices=(256, 512, 1024, 2048)),
        "alpha": Range(low=0.0, high=0.8),
        "beta": Range(low=0.0, high=0.8),
    },
    "elsa_content": {
        "learning_rate": Range(low=0.0005, high=0.02, log=True),
        "batch_size": Choices(choices=(256, 512, 1024, 2048)),
        "gamma": Range(low=0.0, high=2.0),
        "output": Choices(choices=("linear", "relu")),
    },
    "ease": {"l2": Range(low=5.0, high=20_000.0, log=True)},
    "mrf": {"l2": Range(low=0.1, high=300.0, log=True), "alpha": Range(low=0.0, high=1.0)},
    "edlae": {"l2": Range(low=5.0, high=10_000.0, log=True), "dropout": Range(low=0.0, high=0.8)},
    "sansa": {"l2": Range(low=0.5, high=200.0, log=True)},
    "item_knn": {"n_neighbours": Range(low=10, high=500, log=True)},
    "multvae": _NETWORK | {"cap": Range(low=0.05, high=1.0, log=True)},
    "multdae": _NETWORK | {"l2": Range(low=0.001, high=0.1, log=True)},
    "cdae": {
        "n_factors": _FACTORS,
        "learning_rate": Range(low=0.03, high=1.0, log=True),
        "dropout": Range(low=0.1, high=0.8),
        "n_negatives": Choices(choices=(2, 5, 10)),
    },
    "svae": {
        "learning_rate": Range(low=0.0003, high=0.01, log=True),
        "weight_decay": Range(low=0.00001, high=0.02, log=True),
        "n_ahead": Range(low=1, high=10),
    },
    "simple_cf": {
        "n_factors": _FACTORS,
        "learning_rate": Range(low=0.003, high=0.03, log=True),
        "n_negatives": Choices(choices=(2, 4, 10)),
        "l2": Range(low=0.1, high=100.0, log=True),
    },
    "ials": {
        "n_factors": _FACTORS,
        "l2": Range(low=0.01, high=100.0, log=True),
        "weight": Range(low=1.0, high=50.0, log=True),
    },
    "bpr": {
        "n_factors": _FACTORS,
        "l2": Range(low=0.0001, high=0.1, log=True),
        "learning_rate": Range(low=0.005, high=0.2, log=True),
        "n_epochs": Range(low=25, high=300, log=True),
    },
    "biased_mf": {"n_factors": _FACTORS, "l2": Range(low=0.02, high=0.5, log=True)},
    "autorec": {
        "n_factors": _FACTORS,
        "l2": Range(low=2.0, high=500.0, log=True),
        "learning_rate": Range(low=0.0005, high=0.03, log=True),
        "centre": Choices(choices=("none", "mean", "bias")),
    },
    "deeprec": {
        "learning_rate": Range(low=0.005, high=0.2, log=True),
        "dropout": Range(low=0.0, high=0.9),
        "l2": Range(low=0.0003, high=0.03, log=True),
        "n_refeeds": Choices(choices=(0, 1, 2)),
    },
    "rating_autoencoder": {
        "learning_rate": Range(low=0.00003, high=0.003, log=True),
        "dropout": Range(low=0.0, high=0.8),
        "l2": Range(low=0.0001, high=0.03, log=True),
        "n_factors": _FACTORS,
    },
    "combined_autoencoder": {
        "learning_rate": Range(low=0.0001, high=0.01, log=True),
        "dropout": Range(low=0.0, high=0.8),
        "head_weight": Range(low=0.5, high=8.0, log=True),
        "row_l2": Range(low=0.5, high=50.0, log=True),
    },
    "rating_bias": {
        "item_l2": Range(low=0.1, high=100.0, log=True),
        "user_l2": Range(low=0.1, high=100.0, log=True),
    },
}


class TuneConfig(Frozen):
    """The search of hyper-parameters (hoarfrost tune); a night never searches."""

    n_trials: NonNegativeInt = 30
    """Trials in all, those of earlier calls included; the first is the model as configured."""
    timeout_seconds: PositiveFloat | None = None
    """No trial of a call begins after this time, if any."""
    space: dict[str, Space] = _DEFAULT_SPACE
    """What is tried per kind of model: key = { low, high, log, step } or { choices }."""


def check_space(tune: TuneConfig, kinds: Mapping[str, type[Frozen]]) -> None:
    """Refuse what the models cannot be configured with.

    Args:
        tune: the search.
        kinds: configuration class per kind of model.

    Raises:
        ValueError: a kind or a key does not exist, or a bound or choice does not fit its key.
    """
    for kind, space in tune.space.items():
        if kind not in kinds:
            raise ValueError(
                f"tune.space must name kinds of models ({', '.join(kinds)}), got {kind}"
            )
        known = [name for name in kinds[kind].model_fields if name != "kind"]
        for name, parameter in space.items():
            if name not in known:
                raise ValueError(
                    f"tune.space.{kind} must name keys of [model] ({', '.join(known)}), got {name}"
                )
            _check_values(f"tune.space.{kind}.{name}", kinds[kind], name, parameter)


def _check_values(where: str, config: type[Frozen], name: str, parameter: Range | Choices) -> None:
    step = parameter.step if isinstance(parameter, Range) else None
    if step is not None and takes_integers(config, name) and not step.is_integer():
        raise ValueError(f"{where}: step must be whole, got {step}")
    ends = (parameter.low, parameter.high) if isinstance(parameter, Range) else parameter.choices
    for value in ends:
        try:
            config.model_validate({name: value})
        except ValidationError as error:
            reason = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise ValueError(f"{where}: {value} does not fit: {reason}") from error


def takes_integers(config: type[Frozen], name: str) -> bool:
    """Tell whether a key of a model's configuration holds whole numbers."""
    leaves = list(_leaves(config.model_fields[name].annotation))
    return int in leaves and float not in leaves


def _leaves(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    yield from itertools.chain.from_iterable(map(_leaves, inner)) if inner else (annotation,)
