"""A package with a model, as deploy/bring-your-own-model.md shows it, built and installed."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

PAGE = Path(__file__).parents[1] / "deploy" / "bring-your-own-model.md"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def install_plugin(folder: Path, *, more: str = "", points: dict[str, str] | None = None) -> Path:
    """Build a wheel of the page's module and entry point, and install it into a folder by pip.

    Args:
        folder: for the wheel and what is installed; made where it is not there.
        more: further code of the module.
        points: further entry points.

    Returns:
        What belongs on the path of Python.
    """
    code, package, *_ = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    project = tomllib.loads(package)["project"]
    group = project["entry-points"]["hoarfrost.models"] | (points or {})
    name, version = project["name"], project["version"]
    info = f"{name}-{version}.dist-info"
    lines = "".join(f"{each} = {value}\n" for each, value in group.items())
    files = {
        f"{name}.py": code + more,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": _WHEEL,
        f"{info}/entry_points.txt": f"[hoarfrost.models]\n{lines}",
    }
    listed = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    wheel, target = folder / f"{name}-{version}-py3-none-any.whl", folder / "installed"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in (files | {f"{info}/RECORD": listed}).items():
            archive.writestr(path, text)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
         "--disable-pip-version-check", "--target", target, wheel],
        check=True,
    )  # fmt: skip
    return target
