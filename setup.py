"""The packages that a wheel holds, and the files of this repository of which `cotpd init` makes a project."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

# git holds one copy of each, at the place where this repository itself uses it; cotpd/shipped_files.py finds them
SHIPPED = (
    "dvc.yaml",
    "prefect.yaml",
    "prefect.toml",
    "registry/gate.yaml",
    ".gitignore",
    ".dvcignore",
    ".dvc/config",
    ".dvc/plots/f1_per_type.json",
    ".dvc/plots/learning_curves.json",
)


class BuildWithShippedFiles(build_py):
    """Copies the repository's own files into the package that is built."""

    def run(self) -> None:
        """Build as usual, then copy; an editable installation reads them where they are."""
        super().run()
        for name in () if self.editable_mode else SHIPPED:
            target = Path(self.build_lib) / "cotpd" / "shipped" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, target)


setup(
    packages=[*find_packages(include=["cotpd*", "steps", "flows"]), "cotpd.suites"],
    package_dir={"cotpd.suites": "expectations"},  # the reviewed suites, of which git holds one copy
    cmdclass={"build_py": BuildWithShippedFiles},
)
