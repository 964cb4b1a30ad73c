"""What every kind of model says of itself."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from data_contracts.frozen import Frozen

ShareBelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]
ShareAboveZero = Annotated[float, Field(gt=0.0, le=1.0)]
Consumed = Literal["weights", "ratings", "order"]


class KindConfig(Frozen):
    """What every kind of model says of itself.

    What it consumes are the values of the rows that it is fitted on and given to score:

    - "weights": how much a user had of an item, as [events] and [history] make it;
    - "ratings": the last rating of the pair, of the log's column interactions.columns.value or of
      the column rating of a fixed split; a pair without a rating has no entry;
    - "order": the place 1, 2, ... of the pair among the user's, by its last event.
    """

    consumes: ClassVar[Consumed] = "weights"
    stops_early: ClassVar[bool] = False  # it is trained by epochs that held-out users judge
    has_vectors: ClassVar[bool] = False  # of items

    @property
    def validated_by(self) -> Literal["ndcg@100", "rmse"]:
        """The metric by which held-out users, or held-out ratings, judge a fit."""
        return "rmse" if self.consumes == "ratings" else "ndcg@100"
