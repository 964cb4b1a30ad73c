"""Configuration of models of ratings: factors, AutoRec, DeepRec, autoencoders."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from data_contracts.kind_config import Consumed, KindConfig, ShareBelowOne

Activation = Literal["identity", "tanh", "sigmoid", "relu", "selu"]
Centre = Literal["none", "mean", "bias"]


class RatingConfig(KindConfig):
    """What models of ratings that are trained by epochs have in common."""

    consumes: ClassVar[Consumed] = "ratings"
    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    lowest: float | None = None
    """Lowest rating of the scale, by default of those in training."""
    highest: float | None = None
    """Highest rating, likewise."""
    fallback: float | None = None
    """Prediction for a user or an item without ratings; by default their mean in training."""
    n_epochs: PositiveInt = 50
    """Most passes over the ratings."""
    patience: PositiveInt = 5
    """Epochs without a lower validation rmse before training stops."""


class BiasedMFConfig(RatingConfig):
    """Biased matrix factorisation (Koren et al., IEEE Computer 2009), by alternating ridges."""

    kind: Literal["biased_mf"] = "biased_mf"
    """Which model."""
    n_factors: PositiveInt = 64
    """Rank."""
    l2: PositiveFloat = 0.12
    """Ridge weight per rating of a user or an item."""


class RatingNetworkConfig(RatingConfig):
    """What networks over ratings have in common."""

    centre: Centre = "bias"
    """What is taken off ratings first: nothing, as in the papers, their mean, or also biases."""
    batch_size: PositiveInt | None = None
    """Users or items per step; by default a 32nd of them, between 16 and 256."""


class AutoRecConfig(RatingNetworkConfig):
    """AutoRec (Sedhain et al., WWW 2015), one hidden layer over the ratings of items or users."""

    kind: Literal["autorec"] = "autorec"
    """Which model."""
    based_on: Literal["item", "user"] = "item"
    """Whose ratings a row of the network holds."""
    n_factors: PositiveInt = 64
    """Width of the hidden layer."""
    l2: PositiveFloat = 50.0
    """Weight of the squared weights."""
    optimiser: Literal["adam", "rprop", "lbfgs"] = "adam"
    """The papers' "rprop" and "lbfgs" take all ratings in every step."""
    learning_rate: PositiveFloat = 0.003
    """Step size; of "rprop" the first one."""
    hidden_activation: Activation = "sigmoid"
    """Of the hidden layer."""
    output_activation: Activation = "identity"
    """Of the output, if it is based on users."""


class DeepRecConfig(RatingNetworkConfig):
    """DeepRec (Kuchaiev and Ginsburg, 2017), a deep autoencoder whose output is fed back."""

    kind: Literal["deeprec"] = "deeprec"
    """Which model."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128, 256)
    """Widths of the encoder, the code last; the decoder mirrors it."""
    dropout: ShareBelowOne = 0.5
    """Share of the code that a step leaves out."""
    n_refeeds: NonNegativeInt = 1
    """Steps on the output after each step on ratings."""
    l2: NonNegativeFloat = 0.003
    """Weight of the squared weights."""
    tied: bool = False
    """Whether the decoder has the encoder's weights, transposed."""
    output_selu: bool = False
    """Whether SELU follows the last layer too; then nothing is predicted below -1.76 + centre."""
    optimiser: Literal["momentum", "adam"] = "momentum"
    """Which one."""
    learning_rate: PositiveFloat = 0.05
    """Step size."""
    milestones: tuple[PositiveInt, ...] = (24, 36, 48, 66, 72)
    """Epochs after which it is halved."""
    max_gradient: PositiveFloat = 1.0
    """Longer gradients are brought to this length."""


class CombinedAutoencoderConfig(RatingConfig):
    """Autoencoders of items' and of users' ratings, and a head that rates a pair of their codes."""

    kind: Literal["combined_autoencoder"] = "combined_autoencoder"
    """Which model."""
    way: Literal["item", "user", "head", "mean"] = "mean"
    """Which of the three predicts, or the mean of all."""
    n_hidden: PositiveInt = 512
    """Width of the layers on both sides of the users' code."""
    n_factors: PositiveInt = 128
    """Width of both codes."""
    n_head: PositiveInt = 128
    """Width of the head's hidden layer."""
    head_weight: NonNegativeFloat = 2.0
    """Weight of the head's error; those of the autoencoders have 1."""
    dropout: ShareBelowOne = 0.4
    """Share of the hidden layers' outputs that a step leaves out."""
    l2: NonNegativeFloat = 0.0
    """Weight of the autoencoders' squared weights."""
    row_l2: PositiveFloat = 5.0
    """Ridge weight of a user on what the items' autoencoder makes of an item."""
    learning_rate: PositiveFloat = 0.001
    """Step size."""
    batch_size: PositiveInt | None = None
    """Ratings per step; by default a 256th of them, between 32 and 4096."""


class RatingAutoencoderConfig(RatingNetworkConfig):
    """An autoencoder of users' or items' ratings with a k-sparse or a variational code."""

    kind: Literal["rating_autoencoder"] = "rating_autoencoder"
    """Which model."""
    based_on: Literal["user", "item"] = "user"
    """Whose ratings a row of the network holds."""
    variational: bool = False
    """Whether the code is drawn while training."""
    n_hidden: PositiveInt = 512
    """Width of the layers on both sides of the code."""
    n_factors: PositiveInt = 128
    """Width of the code."""
    k_sparse: PositiveInt | None = None
    """Numbers of the code that are kept, the largest; all of them by default."""
    encoder_activation: Activation = "relu"
    """Of the layer before the code."""
    code_activation: Activation = "relu"
    """Of the code."""
    decoder_activation: Activation = "relu"
    """Of the layer after it."""
    output_activation: Activation = "identity"
    """Of the output, if it is based on users."""
    dropout: ShareBelowOne = 0.0
    """Share of those layers' outputs that a step leaves out."""
    l2: NonNegativeFloat = 0.003
    """Weight of the squared weights."""
    row_l2: PositiveFloat = 5.0
    """Ridge weight of a user on the items' codes, if it is based on items."""
    optimiser: Literal["rmsprop", "adam", "momentum"] = "rmsprop"
    """Which one."""
    learning_rate: PositiveFloat = 0.0003
    """Step size."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.k_sparse is not None and self.variational:
            raise ValueError(
                f"k_sparse must be left out where variational is true, got {self.k_sparse}"
            )
        if self.k_sparse is not None and self.k_sparse > self.n_factors:
            raise ValueError(
                f"k_sparse must be at most n_factors ({self.n_factors}), got {self.k_sparse}"
            )
        return self
