"""The night meets the sample: every planted fault is quarantined, and nothing else is."""

import polars as pl

from data_contracts.config import load_config
from tasks.ingest.ingest import ingest
from tasks.lake import Night, quarantine_folder
from tasks.sample.sample_lake import write_sample_lake


def test_quarantine_holds_exactly_the_planted_faults(tmp_path):
    """File, row and rule agree for every bad row; late rows are taken, the broken day waits."""
    sample = write_sample_lake(tmp_path, seed=11)
    night = Night(config=load_config(tmp_path / "hoarfrost.toml"), run_date=sample.run_date)
    manifest = ingest(night)
    parts = quarantine_folder(tmp_path, sample.run_date).glob("*.parquet")
    places = ["source_file", "row_number", "rule"]
    found = {row for part in parts for row in pl.read_parquet(part, columns=places).rows()}
    planted = {(fault.file, fault.row_number, fault.rule) for fault in sample.faults}
    waiting = {("interactions/date=2026-09-10/part-0.parquet", None, "day_waits")}
    assert found == planted | waiting
    assert manifest.accepted == manifest.rows - sum(row[1] is not None for row in planted)
    assert manifest.late_rows == sample.late_rows
