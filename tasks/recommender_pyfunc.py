"""The model as MLflow serves it: numpy only, nothing of ours is imported.

MLflow stores this very file with the version (models from code), so an old version keeps
working whatever becomes of the package.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

ROWS = 65536  # items scored at once: all in float64 would be twice the model


class Recommender(PythonModel):
    """Recommend items for a list of item ids; unknown ids are passed over."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open factors, shape (n_items, n_factors) with unit rows, memory-mapped."""
        artifacts = context.artifacts
        self.A = np.load(artifacts["factors"], mmap_mode="r", allow_pickle=False)
        counts = np.load(artifacts["counts"], mmap_mode="r", allow_pickle=False)
        alpha, beta = np.load(artifacts["tempering"], allow_pickle=False)
        self.known = counts > 0
        powers = np.maximum(counts, 1).astype(np.float64)
        self.input_scale = (powers**-alpha).astype(np.float32)
        self.output_scale = (powers**beta).astype(np.float32)
        item_ids = Path(artifacts["item_ids"]).read_text(encoding="utf-8")
        self.item_ids: list[str | int] = json.loads(item_ids)
        self.index = {item_id: item for item, item_id in enumerate(self.item_ids)}

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow gives it
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, list[Any]]]:
        """Return item ids and scores, best first, for the list in every row of column item_ids.

        Raises:
            MlflowException: n is not positive.
        """
        n = int((params or {}).get("n", 20))
        if n < 1:
            raise MlflowException.invalid_parameter_value(f"n must be positive, got {n}")
        return [self._recommend(list(history), n) for history in model_input["item_ids"]]

    def _recommend(self, history: list[str | int], n: int) -> dict[str, list[Any]]:
        seen = sorted({self.index[item_id] for item_id in history if item_id in self.index})
        if not seen:
            return {"item_ids": [], "scores": []}
        scores = self._scores(seen)
        scores[seen] = -np.inf
        scores[~self.known] = -np.inf
        order = np.lexsort((np.arange(len(scores)), -scores))[:n]
        order = order[np.isfinite(scores[order])]
        return {
            "item_ids": [self.item_ids[item] for item in order],
            "scores": [float(score) for score in scores[order]],
        }

    def _scores(self, seen: list[int]) -> np.ndarray:
        """Scores of all items as the tables have them: products in float64, rounded to float32."""
        weighed = self.A[seen] * self.input_scale[seen, None]
        user = weighed.sum(axis=0, dtype=np.float32).astype(np.float64)
        scores = np.empty(len(self.A), np.float32)
        for start in range(0, len(scores), ROWS):
            rows = slice(start, start + ROWS)
            scores[rows] = (self.A[rows] * self.output_scale[rows, None]).astype(np.float64) @ user
        return scores


mlflow.models.set_model(Recommender())
