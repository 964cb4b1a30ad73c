"""What a sample lake holds, and which faults were planted in it."""

from datetime import date

from data_contracts.frozen import Frozen


class PlantedFault(Frozen):
    """One bad row, or one bad file where there is no row number."""

    day: date  # of the partition
    file: str  # relative to the lake
    row_number: int | None  # from 0, in the file
    rule: str  # that refuses it


class SampleLake(Frozen):
    """A sample lake as it was written."""

    seed: int
    n_users: int
    n_items: int
    n_days: int
    first_day: date
    last_day: date
    run_date: date  # of the night to begin with; two more days follow
    rows: int  # in all files that can be read, bad rows included
    late_file: str  # good rows of two days before its partition, relative to the lake
    late_rows: int
    faults: tuple[PlantedFault, ...]
