"""The types of ids a log may have."""

from typing import Literal

IdType = Literal["string", "integer"]
