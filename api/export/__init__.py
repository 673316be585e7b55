"""A stored call for other programs: the JSON that the market knows, or tables."""

from dataclasses import dataclass
from typing import Literal, assert_never

from api.export import contact_lens, tables
from api.reading import Reading
from pipeline.errors import BadInput

Format = Literal["contact-lens", "csv", "parquet"]

MEDIA: dict[Format, str] = {
    "contact-lens": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
SUFFIX: dict[Format, str] = {"contact-lens": ".json", "csv": ".csv", "parquet": ".parquet"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """table: of a csv, one of them or ``all``; None for what happened in the call, in its order."""

    format: Format = "contact-lens"
    table: str | None = None

    def check(self) -> None:
        """Raises BadInput for a table that is none, or that the format has no use for."""
        if self.table is None:
            return
        if self.format != "csv":
            raise BadInput(f"a table is chosen of a csv only; {self.format} is always whole")
        tables.check(self.table)


def export(reading: Reading, wanted: Wanted) -> bytes:
    """The call in the wanted format. Raises BadInput as ``Wanted.check`` does."""
    wanted.check()
    match wanted.format:
        case "contact-lens":
            return contact_lens.dump(reading)
        case "csv":
            return tables.csv(reading, wanted.table)
        case "parquet":
            return tables.parquet(reading)
        case _:
            assert_never(wanted.format)
