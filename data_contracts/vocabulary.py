"""What a vocabulary says of itself: its seal, and what a night left of it."""

from data_contracts.frozen import Frozen
from data_contracts.manifests import Manifest


class Seal(Frozen):
    """Whose vocabulary a file is and what it holds; written into the file itself."""

    lake: str  # identity of the lake, see tasks.lake_id
    n_items: int
    sha256: str  # of its ids, see tasks.vocabulary.id_digest


class VocabularyManifest(Manifest):
    """The vocabulary of a night, and which of its items retired or came back that night."""

    n_items: int
    sha256: str  # of its first n_items ids
    retired: int  # in all
    which: str  # digest of which these are
    newly_retired: int  # since the night before
    revived: int  # since the night before


class VocabularyStatus(Frozen):
    """How many items a lake knows, and how many of them nobody meets any more."""

    items: int
    retired: int
