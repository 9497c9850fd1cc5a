"""The project's own files hold together: environments, constraints, documentation, notebooks."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS = ("run", "test", "lab", "bench", "lint", "clean")
VERBS = (
    *("run", "runs", "resume", "pause", "cancel", "retry", "watch"),
    *("export", "report", "categories", "db", "sandbox", "lab"),
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(line: str) -> tuple[str, str]:
    """Name and version range of a requirement."""
    found = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(.*)", line.strip())
    assert found, line
    return canonical(found[1]), found[2]


def pins() -> dict[str, str]:
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line) for line in lines]
    assert all(pairs), [line for line, pair in zip(lines, pairs, strict=True) if not pair]
    return {canonical(pair[1]): pair[2] for pair in pairs if pair}


def requirements() -> list[tuple[str, str]]:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    return [requirement(line) for line in (*lines, *PROJECT["build-system"]["requires"])]


@pytest.mark.parametrize(("name", "range_"), requirements())
def test_every_dependency_is_pinned_within_its_range(name: str, range_: str) -> None:
    assert range_.startswith(">="), f"{name}{range_}: it needs a lower bound"
    assert SpecifierSet(range_).contains(pins()[name])


def test_every_pin_serves_the_oldest_python_that_is_promised() -> None:
    """pip passes over what asks for a newer one, and then finds nothing at all."""
    promised = PROJECT["project"]["requires-python"].removeprefix(">=")
    installed = {canonical(d.name): d for d in importlib.metadata.distributions()}
    pinned = [d for name, d in installed.items() if pins().get(name) == d.version]
    assert len(pinned) > 100
    for distribution in pinned:
        needs = distribution.metadata.get("Requires-Python") or ""
        assert SpecifierSet(needs).contains(f"{promised}.0"), f"{distribution.name} needs {needs}"


def test_what_builds_the_package_is_pinned_whole() -> None:
    """Also what the backend asks for only when it builds an editable package."""
    assert {"hatchling", "pathspec", "pluggy", "packaging", "trove-classifiers"} <= set(pins())
    assert {"tomlkit", "editables"} <= set(pins())


def test_the_constraints_name_no_host_path_or_editable_package() -> None:
    for line in text("constraints.txt").splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
    assert "seller-collector" not in pins()


def test_the_conda_environment_is_what_the_project_asks_for() -> None:
    entries = [line.strip()[2:] for line in text("environment.yml").splitlines() if "- " in line]
    project = PROJECT["project"]
    assert f"python{project['requires-python']}" in entries
    assert "pip" in entries
    assert "--constraint constraints.txt" in entries
    extras = ",".join(project["optional-dependencies"])
    assert f"--editable .[{extras}]" in entries
    assert f"name: {project['name']}" in text("environment.yml").splitlines()


def test_make_offers_the_commands_that_the_documentation_names() -> None:
    makefile = text("Makefile")
    written = text("README.md") + text("CHANGELOG.md")
    for command in COMMANDS:
        assert re.search(rf"^{command}:.*## ", makefile, re.MULTILINE), command
        assert f"make {command}" in written, command


def test_the_changelog_names_every_verb_and_this_version() -> None:
    changelog = text("CHANGELOG.md")
    assert f"## [{PROJECT['project']['version']}]" in changelog
    assert "## [Unreleased]" in changelog
    for verb in VERBS:
        assert f"`{verb}`" in changelog or f"`collector {verb}" in changelog, verb


def test_make_names_no_absolute_path() -> None:
    """A folder with a space in its name would need quoting that pip's variables do not know."""
    makefile = text("Makefile")
    assert "$(CURDIR)" not in makefile
    assert "PIP_CONSTRAINT=constraints.txt" in makefile
    assert "PIP_BUILD_CONSTRAINT=constraints.txt" in makefile


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_notebooks_carry_no_outputs() -> None:
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                assert not cell["outputs"], notebook.name
                assert cell["execution_count"] is None, notebook.name


def test_no_project_file_names_a_package_host() -> None:
    """Packages come by name, from wherever the machine's pip is set up to find them."""
    looks_like_an_index = re.compile(r"--(extra-)?index-url|/simple/|--find-links|--trusted-host")
    for name in ("Makefile", ".ci/run", "environment.yml", "pyproject.toml", "constraints.txt"):
        assert not looks_like_an_index.search(text(name)), name


def test_ci_is_a_sound_script() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
