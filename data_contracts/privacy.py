"""How people are named where their ids must not stand."""

from typing import Self

from pydantic import model_validator

from data_contracts.frozen import Frozen


class PrivacyConfig(Frozen):
    """How logs and errors name users."""

    user_hash_key: str | None = None
    """"${NAME}" of a variable with the key; by default drawn once per lake."""

    @model_validator(mode="after")
    def _is_a_reference(self) -> Self:
        if self.user_hash_key is not None and "${" not in self.user_hash_key:
            raise ValueError("user_hash_key must be written as ${NAME}, got a literal")
        return self
