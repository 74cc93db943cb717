"""A folder of documents and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bus.errors import ConfigurationError
from mappings.library import read_platform, shipped
from tests.mappings.builders import HEAD, write_platform

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "source,target,note\na,1,\n"


def test_the_id_names_every_byte_of_documents_and_tables(tmp_path: Path) -> None:
    first = write_platform(tmp_path, HEAD, tables={"t": TABLE})
    assert write_platform(tmp_path, HEAD, tables={"t": TABLE}).id == first.id
    assert first.id.startswith("demo/")
    assert len(first.digest) == 12
    assert write_platform(tmp_path, HEAD + "# more\n", tables={"t": TABLE}).id != first.id
    assert write_platform(tmp_path, HEAD, tables={"t": TABLE + "b,1,\n"}).id != first.id


def test_a_platforms_own_table_goes_before_a_shared_one(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text("source,target,note\na,2,\n")
    (tmp_path / "tables" / "s.csv").write_text("source,target,note\na,3,\n")
    platform = write_platform(tmp_path, HEAD, tables={"t": TABLE})
    assert platform.tables["t"].targets() == {"1"}
    assert platform.tables["s"].targets() == {"3"}
    assert "440604" in platform.tables["regions"].rows, "the package's shared tables are always there"


def test_problems_of_documents_and_tables_come_together(tmp_path: Path) -> None:
    text = HEAD.replace("platform: demo", "platform: other")
    platform = write_platform(tmp_path, text, tables={"t": "x\n"}, kind="SL")
    assert [problem.render().removeprefix(str(tmp_path / "demo")) for problem in platform.problems] == [
        "/tables/t.csv:1:1: t: the first line must be source,target,note",
        "/SL.yaml:1:1: platform: must be the folder's name: demo",
        "/SL.yaml:1:1: kind: must be the file's name: SL",
    ]


def test_a_file_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    write_platform(tmp_path, HEAD)
    (tmp_path / "demo" / "BZSL.yaml").write_bytes(HEAD.encode() + "# 备注".encode("gb18030"))
    (problem,) = read_platform("demo", directory=tmp_path).problems
    assert problem.render().endswith("BZSL.yaml:14:1: BZSL.yaml: the file must be UTF-8")
    assert problem.code == "encoding"


def test_a_document_that_is_no_yaml_leaves_the_others(tmp_path: Path) -> None:
    write_platform(tmp_path, HEAD)
    (tmp_path / "demo" / "SL.yaml").write_text("a: [")
    platform = read_platform("demo", directory=tmp_path)
    assert list(platform.documents) == ["BZSL"]
    assert [problem.code for problem in platform.problems] == ["syntax"]


def test_a_folder_without_documents_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (problem,) = read_platform("demo", directory=tmp_path).problems
    assert problem.code == "no-documents"


def test_a_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_platform("demo", directory=tmp_path)
    assert caught.value.problems == (f"{tmp_path / 'demo'}:1:1: demo: no such folder of mappings",)


def test_the_package_ships_its_mappings() -> None:
    assert sorted(read_platform("cgs", directory=shipped()).documents) == [
        "BJ",
        "BZGZ",
        "BZSL",
        "SL",
        "SPCL",
        "TBCXJG",
        "TBCXSQ",
    ]
