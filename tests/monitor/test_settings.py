"""`gateway.yaml`: all problems at once, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bus.errors import ConfigurationError
from monitor.settings import examine, load

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
node: foshan-1
group: foshan
store: sqlite:///gateway.db
bus: embedded:///bus.db
signing: {key: keys/foshan.pem}
sources:
  chancheng:
    adapter: cgs
    division: "440604"
    options: {url: "sqlite:///chancheng.db", poll_s: 1}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(write(folder, text))
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD))
    assert settings.store == f"sqlite:///{tmp_path}/gateway.db"
    assert settings.bus == f"embedded:///{tmp_path}/bus.db"
    assert settings.signing.key == tmp_path / "keys/foshan.pem"
    assert settings.signing.trust == tmp_path / "trust.yaml"
    assert settings.sources["chancheng"].options == {"url": f"sqlite:///{tmp_path}/chancheng.db", "poll_s": 1}


def test_absolute_and_foreign_urls_are_left_alone(tmp_path: Path) -> None:
    text = GOOD.replace("sqlite:///gateway.db", "sqlite:////var/g.db").replace(
        "embedded:///bus.db", "amqp://u:p@127.0.0.1/supervision"
    )
    settings = load(write(tmp_path, text))
    assert settings.store == "sqlite:////var/g.db"
    assert settings.bus == "amqp://u:p@127.0.0.1/supervision"


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS_PASSWORD", "s3cret")
    (tmp_path / "user.txt").write_text("gateway\n")
    text = GOOD.replace("embedded:///bus.db", "amqp://${file:user.txt}:${env:BUS_PASSWORD}@127.0.0.1/supervision")
    assert load(write(tmp_path, text)).bus == "amqp://gateway:s3cret@127.0.0.1/supervision"


def test_a_missing_secret_is_named_and_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    found = problems(
        tmp_path, GOOD.replace("keys/foshan.pem", '"${file:no.txt}"').replace("1}", '1, token: "${env:NO_SUCH}"}')
    )
    assert found == [
        "gateway.yaml:5:11: signing.key: no.txt cannot be read (No such file or directory)",
        "gateway.yaml:10:57: sources.chancheng.options.token: environment variable NO_SUCH is not set",
    ]


def test_every_problem_is_listed_with_line_and_column(tmp_path: Path) -> None:
    text = GOOD.replace("node: foshan-1", "nodes: foshan-1").replace('"440604"', "440604").replace("adapter", "adaptor")
    found = problems(tmp_path, text)
    assert [line.split(": ")[:2] for line in found] == [
        ["gateway.yaml:1:1", "node"],
        ["gateway.yaml:7:3", "sources.chancheng.adapter"],
        ["gateway.yaml:9:5", "sources.chancheng.division"],
        ["gateway.yaml:8:5", "sources.chancheng.adaptor"],
        ["gateway.yaml:1:1", "nodes"],
    ]


def test_a_duplicate_key_is_an_error_with_its_place(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD + "node: x\n")[0].startswith("gateway.yaml:11:1: not YAML: found duplicate key")


def test_a_file_that_is_no_mapping_says_what_is_expected(tmp_path: Path) -> None:
    assert problems(tmp_path, "- a\n") == [
        "gateway.yaml:1:1: the file must hold keys: node, group, store, bus, signing, sources"
    ]


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="gateway init DIR"):
        load(tmp_path / "none.yaml")


def test_a_file_in_gbk_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"node: " + "佛山".encode("gbk"))
    with pytest.raises(ConfigurationError, match=r"is not UTF-8 \(byte 6\)"):
        load(path)


def test_references_inside_lists_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVISION", "440604")
    assert load(write(tmp_path, GOOD + 'feeds: ["${env:DIVISION}"]\n')).feeds == ["440604"]


def test_an_unknown_reference_and_a_file_in_another_encoding_are_problems(tmp_path: Path) -> None:
    (tmp_path / "gbk.txt").write_bytes("密".encode("gbk"))
    text = GOOD.replace("foshan-1", "${vault:x}").replace("sqlite:///gateway.db", '"${file:gbk.txt}"')
    assert problems(tmp_path, text) == [
        "gateway.yaml:1:1: node: unknown reference ${vault:x}; write ${env:NAME} or ${file:PATH}",
        "gateway.yaml:3:1: store: gbk.txt cannot be read (not UTF-8)",
    ]


def test_a_value_that_is_missing_is_named_once(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD.replace("group: foshan", "group: ${env:NO_SUCH}")) == [
        "gateway.yaml:2:1: group: environment variable NO_SUCH is not set"
    ]


def test_yaml_without_a_place_and_tabs_are_no_traceback(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: \x00\n")[0].startswith("gateway.yaml:1:1: not YAML: ")
    assert problems(tmp_path, "a:\n\t- b\n")[0].startswith("gateway.yaml:2:1: not YAML: ")


def test_no_problem_quotes_a_value(tmp_path: Path) -> None:
    text = GOOD.replace('"440604"', '"s3cret"').replace("packages", "p").replace("node: foshan-1", "node: S3CRET!")
    assert not [line for line in problems(tmp_path, text) if "s3cret" in line.lower()]


def test_a_number_of_packages_out_of_range_is_one_problem_at_its_key(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + "packages: 1\n")
    assert {line.split(": ")[1] for line in found} == {"packages"}
    assert found[-1].startswith("gateway.yaml:11:1: packages: ")


def test_a_password_in_clear_is_a_warning(tmp_path: Path) -> None:
    text = GOOD.replace("embedded:///bus.db", "amqp://u:p@127.0.0.1/supervision")
    examined = examine(write(tmp_path, text))
    assert examined.settings is not None
    assert [line.replace(f"{tmp_path}/", "") for line in examined.warnings] == [
        "gateway.yaml:4:1: bus: holds a password in clear; write ${env:NAME} or ${file:PATH} in its place"
    ]


def test_what_is_right_in_a_faulty_file_can_still_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    text = GOOD.replace("node: foshan-1", "node: 1") + (
        '  gaoming: {adapter: cgs, division: 440608}\n  sanshui: {adapter: cgs, division: "${env:NO_SUCH}"}\n'
        '  nanhai: {adapter: cgs, division: "440605", mappings: own}\n'
    )
    examined = examine(write(tmp_path, text))
    assert examined.settings is None
    assert list(examined.sources) == ["chancheng", "nanhai"]
    assert examined.sources["chancheng"].options["url"] == f"sqlite:///{tmp_path}/chancheng.db"
    assert examined.sources["nanhai"].mappings == tmp_path / "own"
    assert examined.signing is not None
    assert examined.signing.trust == tmp_path / "trust.yaml"


def test_a_file_whose_parts_are_of_another_shape_has_no_usable_ones(tmp_path: Path) -> None:
    examined = examine(write(tmp_path, "sources: 1\nsigning: 2\n"))
    assert (examined.sources, examined.signing) == ({}, None)


def test_settings_made_without_a_file_name_keys_only(tmp_path: Path) -> None:
    made = load(write(tmp_path, GOOD)).model_copy()
    assert made.places.at(("store",)) == f"{tmp_path}/gateway.yaml:3:1"
    plain = type(made).model_validate(made.model_dump())
    assert plain.places.at(("store",)) == "gateway.yaml:1:1"
