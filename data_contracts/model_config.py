"""Configuration of every kind of model, told apart by ``kind``; every default lives here."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
)

from data_contracts.bucket_pattern import known_place
from data_contracts.embedding_config import ModuleConfig, SimpleCFConfig, SVAEConfig
from data_contracts.kind_config import Consumed as Consumed
from data_contracts.kind_config import KindConfig, ShareAboveZero, ShareBelowOne
from data_contracts.network_config import CDAEConfig, MultDAEConfig, MultVAEConfig
from data_contracts.rating_config import (
    AutoRecConfig,
    BiasedMFConfig,
    CombinedAutoencoderConfig,
    DeepRecConfig,
    RatingAutoencoderConfig,
)
from data_contracts.surface import Share


class ELSAConfig(KindConfig):
    """ELSA (Vančura et al., RecSys 2022), a linear shallow autoencoder."""

    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    kind: Literal["elsa"] = "elsa"
    """Which model."""
    n_factors: PositiveInt | None = None
    """Rank of the item-item matrix; by default as high as users and items make affordable."""
    n_epochs: PositiveInt = 20
    """Most passes over the users."""
    batch_size: PositiveInt | None = None
    """Users per step; by default a 16th of them, between 32 and 2048."""
    learning_rate: PositiveFloat = 0.1
    """Step size of NAdam."""
    alpha: Share = 0.1
    """Inputs are divided by an item's popularity to this power."""
    beta: Share = 0.1
    """Scores are multiplied by an item's popularity to this power."""
    gamma: Share = 0.5
    """A user's loss counts as the length of their history's vector to this power."""
    n_neighbours: NonNegativeInt = 32
    """Similar items that each item gets weights of its own from, beside the factors; 0 for none."""
    l2: PositiveFloat | None = None
    """How strongly these weights are held back, in users; by default as suits held-out users."""
    start: Literal["xavier", "spectral", "warm"] = "xavier"
    """At random, at the singular vectors of the matrix, or at the champion's factors."""
    output: Literal["linear", "relu"] = "linear"
    """"relu" is the variant of the authors' later code."""
    loss: Literal["nmse", "cosine"] = "nmse"
    """What is lowered; both rank alike."""
    max_output: PositiveInt | None = None
    """Items that a step makes outputs for, the batch's and others at random; by default all."""
    step: Literal["auto", "exact", "dense"] = "auto"
    """How a linear output's gradient is computed; "auto" takes the cheaper way."""
    products: Literal["float32", "bfloat16"] = "float32"
    """Precision of the largest products; "bfloat16" is faster where the GPU has it."""
    patience: PositiveInt = 5
    """Epochs without a better validation nDCG@100 before training stops."""


class CompressedELSAConfig(KindConfig):
    """Compressed ELSA (WWW 2026): every item keeps a few of its factors, which training chooses."""

    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    kind: Literal["compressed_elsa"] = "compressed_elsa"
    """Which model."""
    n_factors: PositiveInt | None = None
    """Width that training begins with; by default as ELSA's."""
    n_nonzeros: PositiveInt | None = None
    """Factors that an item keeps, half the width at most; by default a sixteenth of it."""
    n_stages: Annotated[int, Field(ge=2)] = 8
    """Stages of training; between two the items lose their smallest factors."""
    stage_epochs: PositiveInt = 2
    """Passes over the users in every stage but the last."""
    n_epochs: PositiveInt = 10
    """Most passes over the users in the last stage."""
    schedule: Literal["exponential", "linear", "step"] = "exponential"
    """How the factors fall from stage to stage."""
    restart: bool = False
    """Whether the factors that are kept begin every stage where they began."""
    batch_size: PositiveInt | None = None
    """Users per step; by default as ELSA's."""
    learning_rate: PositiveFloat = 0.1
    """Step size of NAdam."""
    alpha: Share = 0.1
    """Inputs are divided by an item's popularity to this power."""
    beta: Share = 0.1
    """Scores are multiplied by an item's popularity to this power."""
    patience: PositiveInt = 3
    """Epochs of the last stage without a better validation nDCG@100 before training stops."""


class ContentELSAConfig(KindConfig):
    """ELSA with item information: one side of the item-item matrix is the content of items."""

    stops_early: ClassVar[bool] = True
    has_vectors: ClassVar[bool] = True
    kind: Literal["elsa_content"] = "elsa_content"
    """Which model."""
    mode: Literal["decoder", "encoder"] = "decoder"
    """"decoder" lists items that nobody has met, "encoder" reads them from histories."""
    embeddings: Annotated[str, AfterValidator(known_place)] = ""
    """Parquet file with item_id and vector: in the lake, or absolute; "" for none."""
    numbers: tuple[str, ...] = ()
    """Columns of the catalogue with numbers that tell items apart, such as price or year."""
    n_dimensions: PositiveInt = 256
    """Most topics of the catalogue's texts."""
    n_epochs: PositiveInt = 10
    """Most passes over the users."""
    batch_size: PositiveInt | None = None
    """Users per step; by default as ELSA's."""
    learning_rate: PositiveFloat = 0.002
    """Step size of NAdam."""
    start: Literal["content", "xavier"] = "content"
    """Where the side that is learnt begins: at the content, or at random."""
    output: Literal["linear", "relu"] = "linear"
    """"relu" cuts scores below 0 in training."""
    unit_rows: bool = False
    """Whether rows of the side that is learnt have unit length."""
    gamma: NonNegativeFloat = 2.0
    """A user's loss counts as the length of their history's vector to this power."""
    beta: Share = 0.4
    """Scores are multiplied by an item's popularity to this power; new items have the average."""
    items_held_out: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of the items with content that are held out to find the number of epochs."""
    patience: PositiveInt = 2
    """Epochs without a better nDCG@100 of held-out items before training stops."""


class EASEConfig(KindConfig):
    """EASE (Steck, WWW 2019), the best item-item matrix in closed form; memory grows as items²."""

    kind: Literal["ease"] = "ease"
    """Which model."""
    l2: PositiveFloat = 500.0
    """Ridge weight; the best one grows with the number of users and with the weights of events."""


class MRFConfig(KindConfig):
    """Dense Markov random field (Steck, NeurIPS 2019), EASE on the scaled covariance of items."""

    kind: Literal["mrf"] = "mrf"
    """Which model."""
    l2: PositiveFloat = 10.0
    """Ridge weight, in scaled units."""
    alpha: Share = 0.75
    """Items are divided by their spread to this power; 1 makes the covariance a correlation."""


class EDLAEConfig(KindConfig):
    """EDLAE (Steck, NeurIPS 2020), EASE with an input dropout, in closed form."""

    kind: Literal["edlae"] = "edlae"
    """Which model."""
    dropout: ShareBelowOne = 0.33
    """Probability that an input is left out; popular items are held back the more."""
    l2: PositiveFloat = 300.0
    """Ridge weight, besides."""


class SANSAConfig(KindConfig):
    """SANSA (Spišák et al., RecSys 2023), EASE for large catalogues as two sparse factors."""

    kind: Literal["sansa"] = "sansa"
    """Which model."""
    l2: PositiveFloat = 20.0
    """Ridge weight; of items scaled to like length for the factorizer "icf"."""
    density: ShareAboveZero | None = None
    """Nonzeros of each factor over items²; by default a hundred per item."""
    n_scans: PositiveInt = 4
    """Passes of the approximate inverse; fewer than three cost much accuracy."""
    n_finetune_steps: NonNegativeInt = 2
    """Passes over its worst columns."""
    factorizer: Literal["icf", "cholmod", "dense"] = "icf"
    """Incomplete in compiled loops, by SuiteSparse (extra cholmod), or dense by LAPACK."""


class ItemKNNConfig(KindConfig):
    """ItemKNN (Sarwar et al., WWW 2001), neighbours by the cosine of who had the items."""

    kind: Literal["item_knn"] = "item_knn"
    """Which model."""
    n_neighbours: PositiveInt = 200
    """Neighbours kept of every item."""


class IALSConfig(KindConfig):
    """Implicit ALS (Hu et al., ICDM 2008) by the package implicit (extra baselines)."""

    has_vectors: ClassVar[bool] = True
    kind: Literal["ials"] = "ials"
    """Which model."""
    n_factors: PositiveInt = 64
    """Rank."""
    l2: PositiveFloat = 10.0
    """Ridge weight on both factors."""
    weight: PositiveFloat = 4.0
    """Confidence of an interaction, times its weight; that of all others is 1."""
    n_epochs: PositiveInt = 15
    """Passes over users and items; all are run."""


class BPRConfig(KindConfig):
    """BPR (Rendle et al., UAI 2009) by the package implicit (extra baselines)."""

    has_vectors: ClassVar[bool] = True
    kind: Literal["bpr"] = "bpr"
    """Which model."""
    n_factors: PositiveInt = 64
    """Rank, besides the bias of an item."""
    l2: PositiveFloat = 0.01
    """Ridge weight on both factors."""
    learning_rate: PositiveFloat = 0.05
    """Step size."""
    n_epochs: PositiveInt = 100
    """Passes over the interactions; all are run."""


class PopularityConfig(KindConfig):
    """Popularity: the items that most users had, the same list for everybody."""

    kind: Literal["popularity"] = "popularity"
    """Which model."""


class RandomConfig(KindConfig):
    """Random scores: the floor that every model must stand above."""

    kind: Literal["random"] = "random"
    """Which model."""


class RatingMeanConfig(KindConfig):
    """The mean of all ratings for everything: the floor of models of ratings."""

    consumes: ClassVar[Consumed] = "ratings"
    kind: Literal["rating_mean"] = "rating_mean"
    """Which model."""


class RatingBiasConfig(KindConfig):
    """Mean, item bias and user bias (Koren, TKDD 2010): what models of ratings must beat."""

    consumes: ClassVar[Consumed] = "ratings"
    kind: Literal["rating_bias"] = "rating_bias"
    """Which model."""
    item_l2: PositiveFloat = 25.0
    """Ratings without a bias that an item is taken to have besides its own."""
    user_l2: PositiveFloat = 10.0
    """Likewise a user."""


def _kind_of(value: object) -> str | None:
    kind = value.get("kind", "elsa") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


# To add a kind: its class above or in a file of its own, its line here, a case in
# tasks/training/fitting.py, or beside it in epoch_fit.py if it stops early, and how it is kept
# in models/model_arrays.py.
_Kinds = (
    Annotated[ELSAConfig, Tag("elsa")]
    | Annotated[CompressedELSAConfig, Tag("compressed_elsa")]
    | Annotated[ContentELSAConfig, Tag("elsa_content")]
    | Annotated[EASEConfig, Tag("ease")]
    | Annotated[MRFConfig, Tag("mrf")]
    | Annotated[EDLAEConfig, Tag("edlae")]
    | Annotated[SANSAConfig, Tag("sansa")]
    | Annotated[ItemKNNConfig, Tag("item_knn")]
    | Annotated[MultVAEConfig, Tag("multvae")]
    | Annotated[MultDAEConfig, Tag("multdae")]
    | Annotated[CDAEConfig, Tag("cdae")]
    | Annotated[SVAEConfig, Tag("svae")]
    | Annotated[SimpleCFConfig, Tag("simple_cf")]
    | Annotated[ModuleConfig, Tag("module")]
    | Annotated[IALSConfig, Tag("ials")]
    | Annotated[BPRConfig, Tag("bpr")]
    | Annotated[PopularityConfig, Tag("popularity")]
    | Annotated[RandomConfig, Tag("random")]
    | Annotated[RatingMeanConfig, Tag("rating_mean")]
    | Annotated[RatingBiasConfig, Tag("rating_bias")]
    | Annotated[BiasedMFConfig, Tag("biased_mf")]
    | Annotated[AutoRecConfig, Tag("autorec")]
    | Annotated[DeepRecConfig, Tag("deeprec")]
    | Annotated[RatingAutoencoderConfig, Tag("rating_autoencoder")]
    | Annotated[CombinedAutoencoderConfig, Tag("combined_autoencoder")]
)


def model_kinds() -> dict[str, type[KindConfig]]:
    """Return the configuration class of every kind of model."""
    classes = [get_args(each)[0] for each in get_args(_Kinds)]
    return {each.model_fields["kind"].default: each for each in classes}


def consumed_by(kind: str) -> Consumed:
    """Return what the rows of a kind of model hold; weights for a kind that is not known here."""
    return model_kinds().get(kind, KindConfig).consumes


def needs_content(model: KindConfig) -> bool:
    """Tell whether a model learns with content of items, and nothing in its keys names it."""
    return isinstance(model, ContentELSAConfig) and not model.embeddings


ModelConfig = Annotated[
    _Kinds,
    Discriminator(
        _kind_of,
        custom_error_type="unknown_kind",
        custom_error_message=f"kind must be one of {', '.join(model_kinds())}",
    ),
]
