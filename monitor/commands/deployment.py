"""`gateway init`: a deployment that runs as it is and explains itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bus.trust import Signer, Trust, new_key_hash, new_private_key, trust_yaml
from monitor.commands.keys import make_folder, write_private
from monitor.settings import GROUP
from monitor.terminal import WrongUseError, exit_codes

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.terminal import Terminal

_TEMPLATE: Final = """\
# 佛山市行政审批交换网关 · 部署配置 / One deployment of the approval exchange gateway.
# Paths are relative to this file. Unknown keys are errors. After an edit: gateway check --connect
# 密码只写引用 / Secrets only by reference, anywhere in a string: ${{env:NAME}} or ${{file:PATH}}

# 本节点名；数据流名的前半，之后不要再改 / This machine; first part of every stream's name ({group}/chancheng): keep it.
node: {group}-1
group: {group}

# 账本 / The ledger: sequence numbers, hash chain, what is held back. PostgreSQL in production:
#   postgresql+psycopg://gateway:${{env:STORE_PASSWORD}}@db.example/gateway
store: sqlite:///gateway.db

# 总线 / The bus. This one needs no service. RabbitMQ in production, after `gateway topology apply`:
#   amqp://gateway:${{env:BUS_PASSWORD}}@mq.example:5672/supervision
bus: embedded:///bus.db

# 签名私钥；信任文件 trust.yaml 写明谁的签名有效 / Key that signs checkpoints; trust.yaml beside this file says whose
# signatures count: give a copy to whoever verifies (gateway keys export).
signing: {{key: keys/{group}.pem}}

packages: auto                   # 积压时打包 / many records a message when many wait: auto, never, or a number
journal_max_age: 400D            # 日志保留期 / how long the journal keeps everything
feeds: []                        # 另设区级队列的区划 / divisions with a queue of their own, e.g. ["440604"]

sources:
  chancheng:                     # 禅城；名称即流名的后半 / second part of the stream's name
    adapter: cgs                 # 平台类型 / the shared district platform
    division: "440604"           # 区划代码，加引号 / code of the division, in quotes
    options:
      # 试用库 / To try: gateway simulate cgs --url sqlite:///{folder}/chancheng.db --division 440604
      # 真实平台 / Real:  mysql+pymysql://reader:${{env:CHANCHENG_PASSWORD}}@db.example/chancheng?charset=gbk
      url: "sqlite:///chancheng.db"
      mode: cursor               # 只读账号即可 / an account that may only SELECT; progress is kept in the ledger
      poll_s: 2                  # 两次查询的间隔秒数 / pause between two looks for new rows
      late_s: 3600               # 迟到行的容忍秒数 / a row may become visible so long after its change time
    # 同案后续记录：park 等待，pass 带标记放行 / Later records of a quarantined one's case: wait, or pass flagged.
    on_quarantine: park
  # gaoming:                     # 高明：同一平台再来一份 / the same platform once more
  #   adapter: cgs
  #   division: "440608"
  #   options: {{url: "sqlite:///gaoming.db"}}
"""


def run_init(terminal: Terminal, directory: Path, *, group: str) -> None:
    """Write a deployment into a new or empty folder."""
    with exit_codes(terminal):
        if GROUP.fullmatch(group) is None:
            zh = f"--group {group}：只用小写字母、数字和 '-'，至多 32 个，以字母开头"
            en = f"--group {group}: lower-case letters, digits and '-', at most 32, beginning with a letter"
            raise WrongUseError((zh, en))
        _make_folder(directory)
        folder = directory.resolve()
        files = write_deployment(directory, group, _TEMPLATE.format(group=group, folder=folder))
        config = directory / "gateway.yaml"
        terminal.say(zh=f"已建立 {directory}：", en=f"Made {directory}:")
        _show_files(terminal, group)
        terminal.say(zh="\n下一步：", en="\nNext:")
        terminal.write(
            f"  gateway simulate cgs --url sqlite:///{folder}/chancheng.db --division 440604",
            f"  gateway check --connect --config {config}",
            f"  gateway run --drain --config {config}",
            f"  gateway tap --from first --count 5 --config {config}",
            f"  gateway verify --config {config}",
        )
        terminal.result({"directory": str(directory), "files": files})


def _show_files(terminal: Terminal, group: str) -> None:
    described = (
        ("gateway.yaml", "配置，含注释", "configuration, with comments"),
        ("trust.yaml", "谁的签名有效；核验方需要一份", "whose signatures count; whoever verifies needs a copy"),
        (f"keys/{group}.pem", "网关的签名私钥 (0600)，不得外传", "the gateway's private key (0600); never leaves here"),
        (
            "keys/core.pem",
            "监察核心的签名私钥 (0600)，请移交核心",
            "the core's private key (0600); move it to the core",
        ),
    )
    width = max(len(name) for name, _, _ in described)
    for name, zh, en in described:
        terminal.say(zh=f"  {name:{width}}  {zh}", en=f"  {name:{width}}  {en}")


def _make_folder(directory: Path) -> None:
    make_folder(directory)
    if any(directory.iterdir()):
        raise not_empty(str(directory))


def not_empty(name: str) -> WrongUseError:
    """The error for a folder that should be a new one."""
    return WrongUseError((f"{name}：不是空目录；请另选新目录", f"{name}: is not empty; choose a new folder"))


def write_deployment(directory: Path, group: str, text: str) -> list[str]:
    """gateway.yaml with `text`, a signing key, a cosigning key for the core, and the trust file that names both.

    Returns:
        Names of the files.

    Raises:
        WrongUseError: one of them exists, or the folder cannot be written.
    """
    names = ["gateway.yaml", "trust.yaml", f"keys/{group}.pem", "keys/core.pem"]
    config, trust_file, signer_file, core_file = (directory / name for name in names)
    for file in (signer_file, core_file):
        write_private(file, new_private_key())
    signer, core = Signer.load(signer_file), Signer.load(core_file)
    trust = Trust(new_key_hash(), ((f"{group}/*", signer.verify_key),), core.verify_key)
    write_private(trust_file, trust_yaml(trust))
    config.write_text(text, encoding="utf-8")
    return names
