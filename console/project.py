"""The project folder as it stands on disk: its files read, each checked against the schema of its kind.

What the words mean together (does that segment exist, may this template be sent) is asked in `console/check.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ConfigError, Fault, InputError, NotFoundError, display_path, has_errors
from core.located import Located, load_yaml
from core.schema_check import check_schema
from core.suggest import did_you_mean
from delivery.assets import Asset, read_assets
from delivery.template_enclosures import Enclosures
from delivery.template_includes import PARTIALS

WORKSPACE_FILE = "workspace.yaml"
# Folder to kind of definition; the order is the one in which they depend on each other.
FOLDERS: Mapping[str, str] = {
    "lists": "list",
    "segments": "segment",
    "offers": "offer",
    "campaigns": "campaign",
    "journeys": "journey",
    "forms": "form",
}
TEMPLATES = "templates"
_TEMPLATE_SUFFIXES = (".mjml", ".txt")
TESTS = "tests"
_OTHER_FOLDERS = (TEMPLATES, TESTS, "imports", "assets", "rejects", "data", "site")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """One YAML file that passed its schema. `slug` is what the file calls itself."""

    kind: str
    slug: str
    file: str
    located: Located = field(repr=False)
    source: str = field(repr=False)

    @property
    def document(self) -> Any:
        return self.located.data


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """One template file, not looked into yet."""

    file: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """What could be read, and every fault of what could not."""

    folder: Path
    workspace: ProjectFile | None
    files: tuple[ProjectFile, ...]
    templates: tuple[TemplateFile, ...]
    faults: tuple[Fault, ...]
    partials: tuple[TemplateFile, ...] = ()
    assets: tuple[Asset, ...] = ()
    tests: tuple[ProjectFile, ...] = ()  # played by `postilion test`, never published
    unread: frozenset[tuple[str, str]] = frozenset()  # kind and stem of the files that could not be read

    @property
    def enclosures(self) -> Enclosures:
        """What templates may bring along."""
        partials = {file.file.removeprefix(f"{TEMPLATES}/"): file.text for file in self.partials}
        return Enclosures(partials, {asset.name: asset.place for asset in self.assets})

    def of_kind(self, kind: str) -> list[ProjectFile]:
        return [file for file in self.files if file.kind == kind]

    def slugs(self, kind: str) -> frozenset[str]:
        return frozenset(file.slug for file in self.of_kind(kind))

    def names(self, kind: str) -> frozenset[str]:
        """What others may name: a file that could not be read is there all the same."""
        return self.slugs(kind) | {stem for one, stem in self.unread if one == kind}


def load_project(folder: Path) -> Project:
    """Read every file of the project. Raises NotFoundError when the folder holds no workspace.yaml."""
    if not (folder / WORKSPACE_FILE).is_file():
        raise NotFoundError(
            f"{folder} has no {WORKSPACE_FILE}: go to your project folder, name it with --project, "
            "or make one with `postilion init FOLDER`."
        )
    faults = _strange_folders(folder)
    workspace, found = _read(folder / WORKSPACE_FILE, "workspace", folder)
    faults += found
    files, unread = [], set()
    for name, kind in FOLDERS.items():
        for path in sorted((folder / name).glob("*.y*ml")):
            file, found = _read(path, kind, folder)
            faults += found
            if file is not None:
                files.append(file)
            else:
                unread.add((kind, path.stem))
    templates, found = _read_templates(folder, TEMPLATES)
    faults += found
    partials, found = _read_templates(folder, f"{TEMPLATES}/{PARTIALS}")
    faults += found
    assets, found = read_assets(folder)
    faults += found
    tests = []
    for path in sorted((folder / TESTS).glob("*.y*ml")):
        file, found = _read(path, "test", folder)
        faults += found
        if file is not None:
            tests.append(file)
    faults += _same_names([*files, *tests])
    return Project(
        folder,
        workspace,
        tuple(files),
        templates,
        tuple(sorted(faults)),
        partials,
        assets,
        tuple(tests),
        frozenset(unread),
    )


def read_workspace_slug(folder: Path) -> str:
    """What workspace.yaml calls the workspace; raises when the file is missing or cannot be read."""
    path = folder / WORKSPACE_FILE
    if not path.is_file():
        load_project(folder)  # raises with the way out
    located, faults = load_yaml(path.read_bytes(), WORKSPACE_FILE)
    slug = located.data.get("workspace") if located is not None and isinstance(located.data, dict) else None
    if has_errors(faults):
        raise ConfigError(faults)
    if not isinstance(slug, str):
        raise InputError(f"{path} does not say `workspace: <name>` in its first lines: add it.")
    return slug


def _read(path: Path, kind: str, folder: Path) -> tuple[ProjectFile | None, list[Fault]]:
    file = display_path(path, folder)
    content = path.read_bytes()
    located, faults = load_yaml(content, file)
    if located is None:
        return None, faults
    faults += check_schema(located, kind)
    if has_errors(faults):
        return None, faults
    return ProjectFile(kind, located.data[kind], file, located, content.decode("utf-8")), faults


def _read_templates(folder: Path, place: str) -> tuple[tuple[TemplateFile, ...], list[Fault]]:
    files, faults = [], []
    for path in sorted((folder / place).glob("*")):
        if path.suffix not in _TEMPLATE_SUFFIXES:
            continue
        file = display_path(path, folder)
        try:
            files.append(TemplateFile(file, path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")))
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            faults.append(Fault(file, line, 1, "E005", "the template is not UTF-8", "save the file as UTF-8"))
    return tuple(files), faults


def _same_names(files: list[ProjectFile]) -> list[Fault]:
    first: dict[tuple[str, str], str] = {}
    faults = []
    for file in files:
        other = first.setdefault((file.kind, file.slug), file.file)
        if other != file.file:
            message = f"{file.kind} '{file.slug}' is already in {other}"
            faults.append(file.located.fault("E100", (file.kind,), message, "give one of them another name"))
    return faults


def _strange_folders(folder: Path) -> list[Fault]:
    """A folder whose name is nearly one of ours, and which would silently not be read."""
    known = (*FOLDERS, *_OTHER_FOLDERS)
    return [
        Fault(path.name, 1, 1, "W100", f"the folder '{path.name}' is not read", hint)
        for path in sorted(folder.iterdir())
        if path.is_dir() and path.name not in known and (hint := did_you_mean(path.name, known))
    ]
