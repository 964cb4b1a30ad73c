"""Which packages are installed, held against what the package itself says it needs."""

import importlib
import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from data_contracts.health import Finding

_PACKAGE = "hoarfrost"
_FOR_DEVELOPERS = ("dev", "bench")
_ABOUT = {
    "baselines": "kinds ials and bpr",
    "cholmod": "SANSA's factorizer cholmod",
    "delta": "export to Delta",
    "postgres": "export to Postgres",
    "s3": "logs, catalogue and snapshots in object stores",
    "scale": "training with Ray",
}
_HEADERS = (
    "scikit-sparse is built against SuiteSparse: first 'apt-get install libsuitesparse-dev' "
    "(Debian, Ubuntu) or 'conda install -c conda-forge suitesparse' (conda), then "
)


def package_findings() -> Iterator[Finding]:
    """Yield Python, the packages that are needed, and every optional extra."""
    try:
        own = metadata.metadata(_PACKAGE)
    except metadata.PackageNotFoundError:
        yield Finding(
            name="hoarfrost", state="problem", found="runs from a folder and is not installed",
            remedy="pip install hoarfrost, or pip install -e . in its source",
        )  # fmt: skip
        return
    asked = [Requirement(each) for each in metadata.requires(_PACKAGE) or ()]
    yield _python(own["Requires-Python"])
    yield from (_needed(each) for each in asked if each.marker is None)
    for extra in sorted(own.get_all("Provides-Extra") or ()):
        if extra not in _FOR_DEVELOPERS:
            yield _extra(extra, [each for each in asked if _belongs(each, extra)])


def _python(wanted: str) -> Finding:
    version = platform.python_version()
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return Finding(name="python", state="ok", found=version)
    return Finding(
        name="python", state="problem", found=f"{version}, needed is {wanted}",
        remedy=f"make a virtual environment with Python {wanted}, and install hoarfrost there",
    )  # fmt: skip


def _needed(asked: Requirement) -> Finding:
    lacks = _lacks(asked)
    if lacks is None:
        return Finding(name=asked.name, state="ok", found=metadata.version(asked.name))
    return Finding(
        name=asked.name, state="problem", found=lacks,
        remedy=f"pip install '{asked.name}{asked.specifier}'",
    )  # fmt: skip


def _extra(extra: str, asked: list[Requirement]) -> Finding:
    name, about = f"extra {extra}", _ABOUT.get(extra, "optional")
    lacking = [f"{each.name} {lacks}" for each in asked if (lacks := _lacks(each))]
    if not lacking and extra == "cholmod":
        lacking = _unusable("sksparse.cholmod")
    if not lacking:
        versions = ", ".join(f"{each.name} {metadata.version(each.name)}" for each in asked)
        return Finding(name=name, state="ok", found=f"{versions}: {about}")
    first = _HEADERS if extra == "cholmod" else ""
    return Finding(
        name=name, state="advice", found=f"{', '.join(lacking)}; it is for {about}",
        remedy=f"{first}pip install 'hoarfrost[{extra}]'",
    )  # fmt: skip


def _belongs(asked: Requirement, extra: str) -> bool:
    marker = asked.marker
    return marker is not None and marker.evaluate({"extra": extra})


def _lacks(asked: Requirement) -> str | None:
    """Return what is wrong with a package, None if it is as asked."""
    try:
        version = metadata.version(asked.name)
    except metadata.PackageNotFoundError:
        return "is not installed"
    if asked.specifier.contains(version, prereleases=True):
        return None
    return f"{version} does not suit, supported is {asked.specifier}"


def _unusable(module: str) -> list[str]:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        return [f"{module} cannot be imported ({type(error).__name__})"]
    return []
