"""ELSA for scripts and notebooks: matrices of any kind in, arrays out.

It takes the place of ``elsa.ELSA`` of PyPI's elsarec 0.1.4; models/README.md compares the calls.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int, Num

from models.elsa.elsa import ELSA, OnEpoch, Validation, fit_elsa
from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_start import unit_rows
from models.elsa.elsa_state import TrainingState
from models.elsa.weight_matrix import weight_matrix
from models.ranking.ranking import Block, rank_items, rank_users, top_k
from models.split.fold_in import fold_in_split

Interactions = Any  # whatever models.elsa.weight_matrix takes
Items = Any  # indices, or a mask over all items: a list, an array or a tensor
Lists = tuple[Int[np.ndarray, "n_rows k"], Float[np.ndarray, "n_rows k"]]
_FORMAT = 1
_ASKED = 0.2  # share of a user's items that validation asks for


class ELSARecommender:
    """ELSA over a catalogue: fits, scores, recommends, finds similar items.

    Reference: Vančura et al., RecSys 2022, doi:10.1145/3523227.3551482.
    """

    def __init__(
        self,
        n_items: int,
        n_factors: int,
        *,
        learning_rate: float = 0.1,
        seed: int = 0,
        device: str = "auto",
        item_ids: Sequence[str] | np.ndarray | None = None,
    ) -> None:
        """Say what to fit; nothing is allocated yet.

        Args:
            n_items: size of the catalogue.
            n_factors: rank of the item-item matrix.
            learning_rate: step size of NAdam.
            seed: start and order of the rows: same seed, same bits.
            device: torch device that trains; auto is CUDA where there is one, else the CPU.
            item_ids: names of the items, for names().

        Raises:
            ValueError: item_ids are not n_items.
        """
        self.n_items, self.n_factors = n_items, n_factors
        self.learning_rate, self.seed = learning_rate, seed
        self.item_ids = None if item_ids is None else np.array(item_ids, dtype=np.str_)
        if self.item_ids is not None and self.item_ids.shape != (n_items,):
            raise ValueError(f"item_ids must be {n_items} names, got {self.item_ids.shape}")
        self.set_device(device)
        self._model: ELSA | None = None

    @classmethod
    def from_embeddings(
        cls, W: Num[np.ndarray, "n_items n_factors"], **settings: Any
    ) -> "ELSARecommender":
        """Return a recommender of given item vectors; their lengths do not matter.

        Args:
            W: such as get_items_embeddings(as_numpy=True) of the reference.
            settings: as the constructor's.
        """
        recommender = cls(*W.shape, **settings)
        recommender._model = ELSA(unit_rows(W.astype(np.float32))[0])
        return recommender

    def set_device(self, device: str) -> None:
        """Train on this device from the next fit on."""
        self._wish = device
        has_cuda = torch.cuda.is_available()
        self.device = device if device != "auto" else ("cuda" if has_cuda else "cpu")

    @property
    def model(self) -> ELSA:
        """The fitted model.

        Raises:
            ValueError: nothing has been fitted.
        """
        if self._model is None:
            raise ValueError("fit must come before this call")
        return self._model

    @property
    def item_embeddings(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Item factors with unit rows: a dot product of two is their cosine."""
        return self.model.A

    def fit(
        self,
        train_data: Interactions,
        epochs: int = 20,
        batch_size: int = 1024,
        *,
        validation_data: Interactions | tuple[Interactions, Interactions] | None = None,
        on_epoch: OnEpoch | None = None,
        **settings: Any,
    ) -> dict[str, list[float]]:
        """Fit anew, in an order of the rows that changes with every epoch; return the history.

        With validation the best epoch is kept, and patience stops a fit that gets no better.

        Args:
            train_data: shape (n_users, n_items); rows without interactions are left out.
            epochs: most passes over the rows.
            batch_size: rows per step.
            validation_data: fold-in and target of held-out users, or their whole rows, of
                which a fifth is then asked for.
            on_epoch: as in fit_elsa.
            settings: of fit_elsa: patience, alpha, beta, start, warm, form, resume.

        Returns:
            One number per epoch of nmse_train and cosine_train (mean of 1 - cosine; only the
            form's own loss if it samples items), and with validation of ndcg@100_val.

        Raises:
            ValueError: data are not as weight_matrix has them, or hold no interaction.
            ArithmeticError: the loss is not finite.
        """
        history: dict[str, list[float]] = {}
        form = settings.get("form", ELSAForm())

        def record(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
            for name, value in _figures(metrics, form, self.n_items).items():
                history.setdefault(name, []).append(value)
            if on_epoch is not None:
                on_epoch(epoch, metrics, state)

        self._model = fit_elsa(
            weight_matrix(train_data, self.n_items),
            n_factors=self.n_factors, n_epochs=epochs, batch_size=batch_size,
            learning_rate=self.learning_rate, seed=self.seed, device=self.device,
            validation=self._held_out(validation_data), on_epoch=record, **settings,
        )  # fmt: skip
        return history

    def predict(
        self, data: Interactions, batch_size: int = 1024
    ) -> Float[np.ndarray, "n_users n_items"]:
        """Return the scores of all items, row by row as in data, in one array.

        An item's own weight adds nothing to its score.
        """
        X = weight_matrix(data, self.n_items)
        scores = np.empty(X.shape, dtype=np.float32)
        for start, block in self._scored(X, batch_size):
            scores[start : start + len(block)] = block
        return scores

    def predict_generator(
        self, data: Interactions, batch_size: int = 1024
    ) -> Iterator[Float[np.ndarray, "batch n_items"]]:
        """Yield the same, so many rows at a time; no more than one block is held."""
        for _, block in self._scored(weight_matrix(data, self.n_items), batch_size):
            yield block

    def recommend(
        self,
        data: Interactions,
        k: int,
        *,
        exclude_seen: bool = True,
        eligible: Items | None = None,
        batch_size: int = 1024,
    ) -> Lists:
        """Return the k best items of every row and their scores.

        Args:
            data: histories, shape (n_users, n_items).
            k: length of a list.
            exclude_seen: leave out what the history holds.
            eligible: items that may be listed; by default those met in training, as the others
                have random factors.
            batch_size: rows scored at once.

        Returns:
            Items (n_users, k) int32, best first, ties by item index, padded with -1; scores
            (n_users, k) float32, padded with nan.

        Raises:
            ValueError: k or batch_size is not positive, data are not as weight_matrix has them,
                or eligible are no items.
        """
        _check_positive(k=k, batch_size=batch_size)
        X, listed = weight_matrix(data, self.n_items), self._mask(eligible)
        if eligible is None and self.model.counts is not None:
            listed = self.model.counts > 0
        if exclude_seen:
            ranked = rank_users(self.model, X, seen=X, eligible=listed, k=k, block_size=batch_size)
            return _lists(ranked, X.shape[0], k)
        hidden = np.where(listed, np.float32(0.0), np.float32(-np.inf))
        blocks = (
            (slice(start, start + len(scores)), *top_k(scores + hidden, k))
            for start, scores in self._scored(X, batch_size)
        )
        return _lists(blocks, X.shape[0], k)

    def similar_items(
        self,
        N: int,
        batch_size: int = 1024,
        sources: Items | None = None,
        candidates: Items | None = None,
    ) -> Lists:
        """Return the N items nearest to every source by cosine, itself left out, and the cosines.

        Args:
            N: length of a list.
            batch_size: sources at once.
            sources: items to find neighbours of, all by default.
            candidates: items that may be listed, all by default; the order does not matter.

        Returns:
            Items of the whole catalogue (n_sources, N) int32, nearest first, ties by item index,
            padded with -1 where there are fewer; cosines (n_sources, N) float32, padded with nan.

        Raises:
            ValueError: N or batch_size is not positive, or sources or candidates are no items.
        """
        _check_positive(N=N, batch_size=batch_size)
        items = self._indices(np.arange(self.n_items) if sources is None else sources)
        blocks = rank_items(
            self.item_embeddings, k=N, eligible=self._mask(candidates),
            block_size=batch_size, sources=items,
        )  # fmt: skip
        return _lists(blocks, len(items), N)

    def names(self, items: Int[np.ndarray, "n_rows k"]) -> np.ndarray:
        """Return the item_ids of lists, shape (n_rows, k), empty where a list is padded.

        Raises:
            ValueError: the items have no names.
        """
        if self.item_ids is None:
            raise ValueError("item_ids must be given to name items")
        return np.where(items >= 0, self.item_ids[items], "")

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return all that from_state needs: arrays, and settings that JSON can hold.

        Raises:
            ValueError: nothing has been fitted.
        """
        fitted = {each.name: getattr(self.model, each.name) for each in dataclasses.fields(ELSA)}
        arrays = {name: value for name, value in fitted.items() if isinstance(value, np.ndarray)}
        settings = {
            "format": _FORMAT, "learning_rate": self.learning_rate, "seed": self.seed,
            "device": self._wish,
            "model": {name: value for name, value in fitted.items() if name not in arrays},
        }  # fmt: skip
        return arrays if self.item_ids is None else arrays | {"item_ids": self.item_ids}, settings

    @classmethod
    def from_state(
        cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> "ELSARecommender":
        """Return the recommender that had this state.

        Raises:
            ValueError: the state has another format.
        """
        if settings.get("format") != _FORMAT:
            raise ValueError(f"format must be {_FORMAT}, got {settings.get('format')}")
        fitted: dict[str, Any] = dict(arrays)
        recommender = cls(
            *fitted["A"].shape, learning_rate=settings["learning_rate"], seed=settings["seed"],
            device=settings["device"], item_ids=fitted.pop("item_ids", None),
        )  # fmt: skip
        recommender._model = ELSA(**fitted, **settings["model"])
        return recommender

    def _held_out(self, data: Any) -> Validation | None:
        if data is None:
            return None
        if isinstance(data, tuple):
            shown, asked = (weight_matrix(each, self.n_items) for each in data)
        else:
            whole = weight_matrix(data, self.n_items)
            shown, asked = fold_in_split(whole, target_share=_ASKED, seed=self.seed)
        if shown.shape != asked.shape:
            raise ValueError(f"target must have shape {shown.shape}, got {asked.shape}")
        has_target = np.flatnonzero(np.diff(asked.indptr))
        if not len(has_target):
            raise ValueError("a row of validation_data must have a target, got none")
        return shown[has_target], asked[has_target]

    def _scored(self, X: sp.csr_array, batch_size: int) -> Iterator[tuple[int, np.ndarray]]:
        _check_positive(batch_size=batch_size)
        for start in range(0, X.shape[0], batch_size):
            yield start, self.model.scores(X[start : start + batch_size])

    def _indices(self, items: Any) -> np.ndarray:
        found = np.asarray(items.detach().cpu() if isinstance(items, torch.Tensor) else items)
        if found.dtype == np.bool_ and found.shape == (self.n_items,):
            return np.flatnonzero(found)
        if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
            raise ValueError(f"items must be a list of indices, got {found.dtype} {found.shape}")
        outside = found[(found < 0) | (found >= self.n_items)]
        if len(outside):
            raise ValueError(f"items must be between 0 and {self.n_items - 1}, got {outside[0]}")
        return found.astype(np.int64)

    def _mask(self, items: Any) -> np.ndarray:
        mask = np.zeros(self.n_items, dtype=bool)
        mask[slice(None) if items is None else self._indices(items)] = True
        return mask


def _figures(metrics: dict[str, float], form: ELSAForm, n_items: int) -> dict[str, float]:
    figures = {f"{name}_{'val' if '@' in name else 'train'}": v for name, v in metrics.items()}
    if form.max_output is None and "nmse" in metrics:
        figures["cosine_train"] = metrics["nmse"] * n_items / 2.0
    if form.max_output is None and "cosine" in metrics:
        figures["nmse_train"] = metrics["cosine"] * 2.0 / n_items
    return figures


def _lists(blocks: Iterator[Block], n_rows: int, k: int) -> Lists:
    items = np.empty((n_rows, k), dtype=np.int32)
    scores = np.empty((n_rows, k), dtype=np.float32)
    for rows, block_items, block_scores in blocks:
        items[rows], scores[rows] = block_items, block_scores
    return items, scores


def _check_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} must be positive, got {value}")
