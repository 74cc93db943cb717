"""A platform's documents and code tables, read from a folder.

`<platform>/*.yaml`, `<platform>/tables/*.csv`, the folder's shared `tables/*.csv`, and the shared tables that come with
the package; of two tables with one name the nearer one is used, in this order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bus.errors import ConfigurationError
from mappings.parser import parse_document
from mappings.problem import Position, Problem, error
from mappings.tables import CodeTable, parse_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.resources.abc import Traversable

    from mappings.document import Document

_DIGEST_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that one platform's mapping consists of.

    Attributes:
        name: folder name.
        directory: the folder that holds the platforms.
        documents: KIND → document.
        tables: name → code table, shared ones included.
        digest: 12 hex digits of the SHA-256 over names and bytes of all documents and tables.
        problems: what the parser found.
    """

    name: str
    directory: Traversable
    documents: Mapping[str, Document]
    tables: Mapping[str, CodeTable]
    digest: str
    problems: tuple[Problem, ...]

    @property
    def id(self) -> str:
        """Names this exact mapping."""
        return f"{self.name}/{self.digest}"


def shipped() -> Traversable:
    """The folder of the mappings that come with the package."""
    return files("mappings")


def read_platform(name: str, *, directory: Traversable | None = None) -> Platform:
    """Read and parse; problems are collected, nothing is raised.

    Raises:
        ConfigurationError: there is no such folder.
    """
    directory = directory if directory is not None else shipped()
    folder = directory.joinpath(name)
    if not folder.is_dir():
        raise ConfigurationError([f"{folder}:1:1: {name}: no such folder of mappings"])
    hashed = hashlib.sha256()
    problems: list[Problem] = []
    own = [("", directory), (f"{name}/", folder)]
    tables = _tables([("shipped/", shipped()), *own], hashed=hashed, problems=problems)
    documents: dict[str, Document] = {}
    for file in _members(folder, ".yaml"):
        text = _text(file, name=f"{name}/{file.name}", hashed=hashed, problems=problems)
        document, found = parse_document(text, file=str(file))
        problems += found
        if document is not None:
            problems += _placed(document, platform=name, kind=file.name.removesuffix(".yaml"))
            documents.setdefault(document.kind, document)
    if not documents:
        at = Position(str(folder), 1, 1)
        problems.append(error(at, "no-documents", name, zh="没有映射文件", en="there is no mapping document"))
    digest = hashed.hexdigest()[:_DIGEST_CHARACTERS]
    return Platform(name, directory, MappingProxyType(documents), MappingProxyType(tables), digest, tuple(problems))


def _tables(
    folders: Iterable[tuple[str, Traversable]], *, hashed: hashlib._Hash, problems: list[Problem]
) -> dict[str, CodeTable]:
    tables: dict[str, CodeTable] = {}
    for label, folder in folders:
        for file in _members(folder.joinpath("tables"), ".csv"):
            text = _text(file, name=f"{label}tables/{file.name}", hashed=hashed, problems=problems)
            name = file.name.removesuffix(".csv")
            tables[name], found = parse_table(name, file=str(file), text=text)
            problems += found
    return tables


def _members(folder: Traversable, suffix: str) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return sorted((file for file in folder.iterdir() if file.name.endswith(suffix)), key=lambda file: file.name)


def _text(file: Traversable, *, name: str, hashed: hashlib._Hash, problems: list[Problem]) -> str:
    content = file.read_bytes()
    hashed.update(f"{name}\n{len(content)}\n".encode())
    hashed.update(content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        at = Position(str(file), line, 1)
        problems.append(error(at, "encoding", file.name, zh="文件必须是 UTF-8 编码", en="the file must be UTF-8"))
        return content.decode("utf-8", "backslashreplace")


def _placed(document: Document, *, platform: str, kind: str) -> list[Problem]:
    at = Position(document.file, 1, 1)
    problems = []
    if document.platform and document.platform != platform:
        zh, en = f"应与文件夹同名：{platform}", f"must be the folder's name: {platform}"
        problems.append(error(at, "wrong-place", "platform", zh=zh, en=en))
    if document.kind and document.kind != kind:
        zh, en = f"应与文件同名：{kind}", f"must be the file's name: {kind}"
        problems.append(error(at, "wrong-place", "kind", zh=zh, en=en))
    return problems
