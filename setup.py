"""The packages that a wheel holds. pyproject.toml cannot say that one of them lies in another folder."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["cotpd*"]), "cotpd.suites"],
    package_dir={"cotpd.suites": "expectations"},  # the reviewed suites, of which git holds one copy
)
