"""A gate that promotes every challenger, for shops so small that nothing can be judged."""

from pathlib import Path

_LENIENT = {
    "margin": "9.0", "min_users": "2", "max_coverage_loss": "1.0", "max_popularity_rise": "99.0",
    "max_fallback_rise": "1.0",
}  # fmt: skip


def make_lenient(config: Path) -> None:
    """Rewrite the gate of a complete configuration file.

    Raises:
        AssertionError: a setting is not there.
    """
    text = config.read_text(encoding="utf-8")
    for name, value in _LENIENT.items():
        lines = [row for row in text.split("\n") if row.startswith(f"{name} = ")]
        assert len(lines) == 1, (name, lines)
        text = text.replace(lines[0], f"{name} = {value}")
    config.write_text(text, encoding="utf-8")
