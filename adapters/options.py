"""Options of an adapter, as written under `options:` of a source; an unknown key is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from bus.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Options(BaseModel):
    """Options of any adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Check `options`.

        Raises:
            ConfigurationError: every problem, each `options.<key>: what is wrong`; values are not quoted, since one
                may be a secret.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            raise ConfigurationError([cls._problem(e["loc"], e["type"], e["msg"]) for e in error.errors()]) from None

    @classmethod
    def _problem(cls, where: tuple[int | str, ...], kind: str, text: str) -> str:
        key = ".".join(["options", *map(str, where)])
        if kind == "extra_forbidden":
            return f"{key}: unknown key; known are {', '.join(sorted(cls.model_fields))}"
        return f"{key}: {text}"


class DatabaseOptions(Options):
    """Options of a source that is read from a database.

    Attributes:
        url: SQLAlchemy URL of an account that may SELECT.
        mode: `cursor`: progress is ours alone.
        db_schema: schema of the tables, when it is not the account's own.
        poll_s: time between two looks for new rows.
        late_s: how long after its change time a row may become visible and still be found by the window; only ever
            widened during the life of a source.
        late_poll_s: time between two looks at the window.
        sweep_s: time between two comparisons of all keys.
        page_limit_s: time limit of one statement on the platform; 0 = none.
        load_percent: share of wall time that looking for new rows may take on the platform.
        where: column (own, or `parent.<COLUMN>`) → value; only such rows are this source's. Region codes are compared
            in canonical form.
        claimed: values of the `where` column that other configured sources read from the same database.
        bytes_as: encoding of the octets when the database declares another one (`latin1` columns holding GB18030).
        purges_after_days: the platform removes rows that have not changed for so long; their absence is no finding.
        vanished_max: how many vanished rows of one table a sweep may report, instead of the built-in limits.
    """

    url: StrictStr = Field(min_length=1)
    mode: Literal["cursor"] = "cursor"
    db_schema: StrictStr | None = None
    poll_s: float = Field(default=2.0, ge=0)
    late_s: float = Field(default=3600.0, ge=0)
    late_poll_s: float = Field(default=60.0, ge=0)
    sweep_s: float = Field(default=86_400.0, ge=0)
    page_limit_s: float = Field(default=300.0, ge=0)
    load_percent: float = Field(default=5.0, gt=0, le=100)
    where: dict[StrictStr, StrictStr] = Field(default_factory=dict, max_length=1)
    claimed: tuple[StrictStr, ...] = ()
    bytes_as: Literal["gb18030"] | None = None
    purges_after_days: int | None = Field(default=None, ge=1)
    vanished_max: int | None = Field(default=None, ge=0)
