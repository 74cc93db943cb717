"""`gateway.yaml`: one file, secrets by reference only, every problem named with line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from bus.errors import ConfigurationError

_REFERENCE: Final = re.compile(r"\$\{(env|file):([^}]*)\}")
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
_Division = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$", strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SigningSettings(_Part):
    """Whose key signs checkpoints, and which file says whom to trust."""

    key: Path
    trust: Path = Path("trust.yaml")


class SourceSettings(_Part):
    """One source: an adapter, a division, and how its records are judged."""

    adapter: str
    division: _Division
    options: dict[str, Any] = Field(default_factory=dict)
    mappings: Path | None = None
    on_quarantine: Literal["park", "pass"] = "park"
    rules: dict[str, Literal["reject", "flag", "off"]] = Field(default_factory=dict)


class Settings(_Part):
    """The whole file; paths are absolute, references are resolved."""

    node: _Name
    group: _Name
    store: str
    bus: str
    signing: SigningSettings
    sources: dict[_Name, SourceSettings] = Field(min_length=1)
    packages: Literal["auto", "never"] | Annotated[int, Field(ge=2, le=1000)] = "auto"
    journal_max_age: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[YMDhms]$")] = "400D"
    feeds: list[_Division] = Field(default_factory=list)


def load(path: Path) -> Settings:
    """Read and check the file.

    Raises:
        ConfigurationError: all problems, each `file:line:column: key: text`.
    """
    document = _parse(path)
    problems: list[str] = []
    data = _resolve(document, path, (), problems)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        problems += [_describe(path, document, tuple(fault["loc"]), fault["msg"]) for fault in error.errors()]
    if problems or settings is None:
        raise ConfigurationError(problems)
    return _absolute(settings, path.resolve().parent)


def _parse(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            [
                (
                    f"{path}: cannot be read ({error.strerror}); make a deployment with "
                    "`gateway init DIR` or name yours with --config FILE"
                )
            ]
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8"]) from error
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
        raise ConfigurationError([f"{place}: not YAML: {error.problem}"]) from error
    if not isinstance(document, Mapping):
        raise ConfigurationError([f"{path}:1:1: the file must hold keys: node, group, store, bus, signing, sources"])
    return document


def _resolve(value: Any, path: Path, at: tuple[str | int, ...], problems: list[str]) -> Any:
    """Plain data with every `${env:…}` and `${file:…}` replaced; what is missing becomes a problem."""
    if isinstance(value, Mapping):
        return {str(key): _resolve(item, path, (*at, key), problems) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_resolve(item, path, (*at, index), problems) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def substitute(match: re.Match[str]) -> str:
        kind, name = match.groups()
        try:
            return os.environ[name] if kind == "env" else (path.parent / name).read_text(encoding="utf-8").strip()
        except KeyError:
            problems.append(f"{path}: {_dotted(at)}: environment variable {name} is not set")
        except OSError as error:
            problems.append(f"{path}: {_dotted(at)}: {name} cannot be read ({error.strerror})")
        return ""

    return _REFERENCE.sub(substitute, str(value))


def _dotted(at: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in at)


def _describe(path: Path, document: Any, at: tuple[str | int, ...], text: str) -> str:
    """`file:line:column: key: text`, at the deepest node of `at` that the file has."""
    line, column = 1, 1
    node: Any = document
    for part in at:
        places = node.lc.data if hasattr(node, "lc") else None
        if not places or part not in places:
            break
        line, column = places[part][0] + 1, places[part][1] + 1
        node = node[part]
    return f"{path}:{line}:{column}: {_dotted(at)}: {text}"


def _absolute(settings: Settings, root: Path) -> Settings:
    signing = settings.signing
    sources = {
        name: source.model_copy(update={"mappings": root / source.mappings}) if source.mappings else source
        for name, source in settings.sources.items()
    }
    return settings.model_copy(
        update={
            "store": _absolute_url(settings.store, root),
            "bus": _absolute_url(settings.bus, root),
            "signing": SigningSettings(key=root / signing.key, trust=root / signing.trust),
            "sources": {
                name: source.model_copy(update={"options": _absolute_options(source.options, root)})
                for name, source in sources.items()
            },
        }
    )


def _absolute_options(options: Mapping[str, Any], root: Path) -> dict[str, Any]:
    return {key: _absolute_url(value, root) if key == "url" else value for key, value in options.items()}


def _absolute_url(url: str, root: Path) -> str:
    """`sqlite:///gateway.db` and `embedded:///bus.db` are relative to the file; with four slashes they are absolute."""
    for scheme in ("sqlite:///", "embedded:///"):
        name = url.removeprefix(scheme)
        if name != url and name and not name.startswith((":", "/")):
            return f"{scheme}{root / name}"
    return url
