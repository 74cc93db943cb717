"""`gateway init` and `gateway check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters import registry
from bus.errors import ConfigurationError, ExchangeError
from bus.ledger.store import probe
from bus.transport import connect
from bus.trust import Signer, Trust, new_key_hash, new_private_key, trust_yaml
from monitor.bootstrap import lint, topology_of
from monitor.commands.keys import write_private
from monitor.settings import load
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bus.message import Record
    from bus.ports import Seen
    from monitor.settings import Settings
    from monitor.terminal import Terminal

_TEMPLATE = """\
# 佛山市行政审批交换网关 · one deployment. Paths are relative to this file. Secrets only by reference:
# ${{env:NAME}} or ${{file:PATH}}, anywhere in a string. `gateway check --connect` tries everything and changes nothing.
node: {group}-1
group: {group}                       # names the streams: {group}/chancheng
store: sqlite:///gateway.db          # or postgresql+psycopg://user:${{env:STORE_PASSWORD}}@host/gateway
bus: embedded:///bus.db              # or amqp://gateway:${{env:BUS_PASSWORD}}@host:5672/supervision
signing: {{key: keys/{group}.pem}}   # trust.yaml beside this file says whose signatures count
packages: auto                       # records a message: auto (many when many wait), never, or a number
sources:
  chancheng:                         # 禅城
    adapter: cgs
    division: "440604"
    options:
      url: "sqlite:///chancheng.db"  # mysql+pymysql://reader:${{env:DB_PASSWORD}}@host/chancheng?charset=gbk
      mode: cursor                   # the account may only SELECT; progress is kept here
      poll_s: 2                      # pause between two looks for new rows
      late_s: 3600                   # a row may become visible this long after its change time
"""


def run_init(terminal: Terminal, directory: Path, *, group: str) -> None:
    """Write a deployment into a new or empty folder."""
    with exit_codes(terminal):
        if directory.exists() and any(directory.iterdir()):
            raise ConfigurationError([f"{directory}: is not empty; choose a new folder"])
        directory.mkdir(parents=True, exist_ok=True)
        write_deployment(directory, group, _TEMPLATE.format(group=group))
        terminal.say(
            zh=f"已建立 {directory}：gateway.yaml、keys/（0600）、trust.yaml。下一步：编辑 gateway.yaml，然后 "
            f"gateway check --connect --config {directory}/gateway.yaml",
            en=f"Made {directory}: gateway.yaml, keys/ (0600), trust.yaml. Next: edit gateway.yaml, then "
            f"gateway check --connect --config {directory}/gateway.yaml",
        )
        terminal.result(
            {"directory": str(directory), "files": ["gateway.yaml", "trust.yaml", f"keys/{group}.pem", "keys/core.pem"]}
        )


def write_deployment(directory: Path, group: str, text: str) -> None:
    """gateway.yaml with `text`, a signing key, a cosigning key for the core, and the trust file that names both."""
    signer_file, core_file = directory / "keys" / f"{group}.pem", directory / "keys" / "core.pem"
    for file in (signer_file, core_file):
        write_private(file, new_private_key())
    signer, core = Signer.load(signer_file), Signer.load(core_file)
    trust = Trust(new_key_hash(), ((f"{group}/*", signer.verify_key),), core.verify_key)
    write_private(directory / "trust.yaml", trust_yaml(trust))
    (directory / "gateway.yaml").write_text(text, encoding="utf-8")


def run_check(terminal: Terminal, config: Path, *, is_connecting: bool) -> None:
    """Lint everything; connect where asked; change nothing."""
    with exit_codes(terminal):
        settings = load(config)
        lint(settings)
        terminal.say(zh="配置、密钥、映射、标准：正确。", en="Configuration, keys, mappings, schema: good.")
        found = _try_everything(terminal, settings) if is_connecting else {}
        terminal.result({"connected": {name: text is None for name, text in found.items()}, "problems": found})
        if any(found.values()):
            raise SystemExit(Exit.FOUND)


def _try_everything(terminal: Terminal, settings: Settings) -> dict[str, str | None]:
    """What was tried → None, or what is wrong with it."""
    found: dict[str, str | None] = {}

    def attempt(name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except ExchangeError as error:
            found[name] = str(error)
            terminal.say(zh=f"✗ {name}: {error}", en=f"✗ {name}: {error}")
        else:
            found[name] = None
            terminal.say(zh=f"✓ {name}", en=f"✓ {name}")

    def try_store() -> None:
        probe(settings.store)

    def try_bus() -> None:
        differences = connect(settings.bus).differences(topology_of(settings))
        if differences:
            raise ConfigurationError([*differences, "run `gateway topology apply` with the operator's account"])

    def try_source(name: str) -> None:
        source = settings.sources[name]
        adapter = registry.create(source.adapter, division=source.division, options=source.options)
        try:
            adapter.open(_NoKeys(), position=None, drain=False)
        finally:
            adapter.close()

    attempt("store", try_store)
    attempt("bus", try_bus)
    for name in settings.sources:
        attempt(f"sources.{name}", lambda name=name: try_source(name))  # type: ignore[misc]
    return found


class _NoKeys:
    """A key index that knows nothing: `check` reads no record."""

    def seen(self, row_keys: Sequence[str]) -> Mapping[str, Seen]:
        """Nothing."""
        del row_keys
        return {}

    def parked(self, reason: str) -> Sequence[Record]:
        """Nothing."""
        del reason
        return ()

    def ordinals(self, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """Nothing."""
        del after, limit
        return ()
