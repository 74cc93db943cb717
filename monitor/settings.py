"""`gateway.yaml`: one file, secrets by reference only, every problem named with line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bus.errors import ConfigurationError
from monitor.places import Places

if TYPE_CHECKING:
    from monitor.places import Keys

_REFERENCE: Final = re.compile(r"\$\{([^}:]*):?([^}]*)\}")
_CLEAR_PASSWORD: Final = re.compile(r"//[^/:@]*:([^/@]+)@")
GROUP: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_Name = Annotated[str, StringConstraints(pattern=rf"^{GROUP.pattern}$")]
_Division = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$", strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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
    _places: Places = PrivateAttr(default_factory=lambda: Places(Path("gateway.yaml"), None))

    @property
    def places(self) -> Places:
        """Where each key stands in the file."""
        return self._places


class Examined(NamedTuple):
    """A file with everything that can be said about it alone.

    Attributes:
        settings: None when there are problems.
        sources: those that are right in themselves.
        signing: None when it is not right in itself.
        problems: each `file:line:column: key: text`.
        warnings: what works and should not stay, in the same form.
        places: of the keys.
    """

    settings: Settings | None
    sources: Mapping[str, SourceSettings]
    signing: SigningSettings | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    places: Places


def load(path: Path) -> Settings:
    """Read and check the file.

    Raises:
        ConfigurationError: all problems, each `file:line:column: key: text`.
    """
    examined = examine(path)
    if examined.settings is None:
        raise ConfigurationError(examined.problems)
    return examined.settings


def examine(path: Path) -> Examined:
    """Read and check the file; what is right in it is handed on even when something else is wrong.

    Raises:
        ConfigurationError: not readable, or not YAML.
    """
    document = _parse(path)
    root = path.resolve().parent
    places = Places(path, document)
    missing: dict[Keys, str] = {}
    warnings: list[str] = []
    data = _Resolver(path.parent, places, missing, warnings).resolve(document, ())
    problems: list[str] = list(missing.values())
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = [(tuple(fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]
        problems += [places.problem(_shown(at), text) for at, text in found if _shown(at) not in missing]
    if problems or settings is None:
        sources, signing = _usable(data, missing, root)
        return Examined(None, sources, signing, tuple(problems), tuple(warnings), places)
    settings = _absolute(settings, root)
    settings._places = places  # noqa: SLF001 - pydantic's way to carry what is no field
    return Examined(settings, settings.sources, settings.signing, (), tuple(warnings), places)


def _shown(at: tuple[str | int, ...]) -> Keys:
    """A location of pydantic without its own words for keys and branches of a union."""
    return tuple(part for part in at if part != "[key]" and not str(part).startswith(("literal[", "constrained-")))


_Model = TypeVar("_Model", SourceSettings, SigningSettings)


def _usable(
    data: Any, missing: Mapping[Keys, str], root: Path
) -> tuple[dict[str, SourceSettings], SigningSettings | None]:
    """The parts of a faulty file that are right in themselves."""

    def part(model: type[_Model], value: Any, at: Keys) -> _Model | None:
        if any(keys[: len(at)] == at for keys in missing):
            return None
        try:
            return model.model_validate(value)
        except ValidationError:
            return None

    listed = data.get("sources")
    found = {
        name: _absolute_source(source, root)
        for name, value in (listed.items() if isinstance(listed, dict) else ())
        if (source := part(SourceSettings, value, ("sources", name))) is not None
    }
    signing = part(SigningSettings, data.get("signing"), ("signing",))
    return found, None if signing is None else _absolute_signing(signing, root)


def _parse(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        advice = "make a deployment with `gateway init DIR` or name yours with --config FILE"
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror}); {advice}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8"]) from error
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}:1:1"
        raise ConfigurationError([f"{place}: not YAML: {error.problem}"]) from error
    except YAMLError as error:
        raise ConfigurationError([f"{path}:1:1: not YAML: {error}"]) from error
    if not isinstance(document, Mapping):
        raise ConfigurationError([f"{path}:1:1: the file must hold keys: node, group, store, bus, signing, sources"])
    return document


class _Resolver:
    """Makes plain data with every `${env:…}` and `${file:…}` replaced."""

    def __init__(self, folder: Path, places: Places, missing: dict[Keys, str], warnings: list[str]) -> None:
        self._folder = folder
        self._places = places
        self._missing = missing
        self._warnings = warnings

    def resolve(self, value: Any, at: Keys) -> Any:
        """What is missing becomes a problem; a password in clear becomes a warning."""
        if isinstance(value, Mapping):
            return {str(key): self.resolve(item, (*at, key)) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.resolve(item, (*at, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        clear = _CLEAR_PASSWORD.search(value)
        if clear is not None and "${" not in clear[1]:
            text = "holds a password in clear; write ${env:NAME} or ${file:PATH} in its place"
            self._warnings.append(self._places.problem(at, text))
        return _REFERENCE.sub(lambda match: self._referenced(match, at), str(value))

    def _referenced(self, match: re.Match[str], at: Keys) -> str:
        kind, name = match.groups()
        try:
            match kind:
                case "env":
                    return os.environ[name]
                case "file":
                    return (self._folder / name).read_text(encoding="utf-8").strip()
            text = f"unknown reference {match.group()}; write ${{env:NAME}} or ${{file:PATH}}"
        except KeyError:
            text = f"environment variable {name} is not set"
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            text = f"{name} cannot be read ({reason})"
        self._missing[at] = self._places.problem(at, text)
        return ""


def _absolute(settings: Settings, root: Path) -> Settings:
    return settings.model_copy(
        update={
            "store": _absolute_url(settings.store, root),
            "bus": _absolute_url(settings.bus, root),
            "signing": _absolute_signing(settings.signing, root),
            "sources": {name: _absolute_source(source, root) for name, source in settings.sources.items()},
        }
    )


def _absolute_signing(signing: SigningSettings, root: Path) -> SigningSettings:
    return SigningSettings(key=root / signing.key, trust=root / signing.trust)


def _absolute_source(source: SourceSettings, root: Path) -> SourceSettings:
    options = {
        key: _absolute_url(value, root) if key == "url" and isinstance(value, str) else value
        for key, value in source.options.items()
    }
    return source.model_copy(
        update={"options": options, "mappings": None if source.mappings is None else root / source.mappings}
    )


def _absolute_url(url: str, root: Path) -> str:
    """`sqlite:///gateway.db` and `embedded:///bus.db` are relative to the file; with four slashes they are absolute."""
    for scheme in ("sqlite:///", "embedded:///"):
        name = url.removeprefix(scheme)
        if name != url and name and not name.startswith((":", "/")):
            return f"{scheme}{root / name}"
    return url
