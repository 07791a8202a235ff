"""Files of customers: CSV with a header (RFC 4180), and NDJSON, one JSON object per line.

A spreadsheet evaluates cells that begin with certain characters. In CSV, such values have an
apostrophe in front, as OWASP recommends. Reading removes it, so no value changes. Phone numbers
have none: they are numbers, not formulas.

Source: https://owasp.org/www-community/attacks/CSV_Injection
"""

import codecs
import csv
import hashlib
import io
import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import attrs

from customers_client.generated.models import Customer, CustomerCreation
from customers_client.transfer import TransferError

REASON = "reason"
"""The column or key of rejected rows that says why. An import ignores it."""

WRITABLE = [field.name for field in attrs.fields(CustomerCreation) if field.init]
REQUIRED = [
    field.name for field in attrs.fields(CustomerCreation) if field.default is attrs.NOTHING
]
EXPORTED = [field.name for field in attrs.fields(Customer) if field.init]
IGNORED = {"", REASON, *EXPORTED} - set(WRITABLE)
JSON_COLUMNS = {"addresses", "metadata"}

Place = tuple[str, ...]
"""Where a value of a customer is; empty if it is ignored."""

_DANGEROUS = set("'=+-@\t\r\n")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n]")
_PHONE = re.compile(r"\+[0-9]+")

csv.field_size_limit(sys.maxsize)


class Row(NamedTuple):
    """A row of a file: as it is there, and as a customer. `reason` is why it can't be one."""

    number: int
    source: Any
    customer: Mapping[str, Any]
    reason: str = ""


class Table:
    """A file of customers, whose columns or keys `mapping` renames to fields.

    A field may be a part of another one, such as `metadata.plan` or `addresses.0.city`.
    """

    def __init__(self, path: Path, encoding: str, mapping: Mapping[str, str]) -> None:
        self.path = path
        self.encoding = encoding
        self._mapping = mapping

    def rows(self) -> Iterator[Row]:
        """Yield the rows in order. Raises TransferError if the file as a whole is invalid."""
        row = None
        try:
            with self._open() as file:
                for row in self._rows(file):
                    yield row
        except (UnicodeError, LookupError, csv.Error) as error:
            after = f"after row {row.number}" if row else "at the beginning"
            message = f"{self.path}: {after}: {_explain(error)}"
            raise TransferError(message) from error

    def digest(self) -> str:
        """Return a hash of the content and of how it is read."""
        with self.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(repr([content, self._reading()]).encode()).hexdigest()

    def write_rejected(self, target: TextIO, rejected: Iterable[tuple[Row, str]]) -> None:
        """Write rows as they are in the file, with their reasons."""
        raise NotImplementedError

    def _rows(self, file: TextIO) -> Iterator[Row]:
        raise NotImplementedError

    def _open(self) -> TextIO:
        """Open the file, and skip the mark that some programs write at the beginning of UTF-8."""
        is_utf_8 = codecs.lookup(self.encoding).name == "utf-8"
        return self.path.open(encoding="utf-8-sig" if is_utf_8 else self.encoding, newline="")

    def _reading(self) -> object:
        return [type(self).__name__, self.encoding, sorted(self._mapping.items())]

    def _field(self, name: str) -> str:
        return self._mapping.get(name, name)


class Csv(Table):
    def __init__(
        self, path: Path, encoding: str, mapping: Mapping[str, str], delimiter: str = ","
    ) -> None:
        super().__init__(path, encoding, mapping)
        self._delimiter = delimiter

    def _reading(self) -> object:
        return [super()._reading(), self._delimiter]

    def _rows(self, file: TextIO) -> Iterator[Row]:
        reader = csv.reader(file, delimiter=self._delimiter, strict=True)
        header = next(reader, [])
        places = [_to_place(field) for field in self._fields(header)]
        records = (cells for cells in reader if cells)
        for number, cells in enumerate(records, 1):
            yield _to_row(number, cells, places)

    def _fields(self, header: Sequence[str]) -> Sequence[str]:
        """Return the field of each column. Raises TransferError."""
        fields = [self._field(name) for name in header]
        where = f"{self.path}: the header"
        if double := [name for name, count in Counter(header).items() if count > 1]:
            raise TransferError(f"{where} has two columns {_list(double)}. Rename one.")
        if missing := self._mapping.keys() - set(header):
            raise TransferError(f"{where} has no column {_list(missing)}, which --map names.")
        if unknown := [
            name for name, field in zip(header, fields, strict=True) if not _is_known(field)
        ]:
            hint = 'Map it with --map "COLUMN=FIELD", or ignore it with --map "COLUMN=".'
            raise TransferError(f"{where} has the unknown column {_list(unknown)}. {hint}")
        used = [field for field in fields if field not in IGNORED]
        if double := [name for name, count in Counter(used).items() if count > 1]:
            raise TransferError(f"{where} has two columns for the field {_list(double)}.")
        if missing := set(REQUIRED) - set(fields):
            hint = f"Fields: {', '.join(WRITABLE)}."
            raise TransferError(f"{where} has no column for the field {_list(missing)}. {hint}")
        return fields

    def write_rejected(self, target: TextIO, rejected: Iterable[tuple[Row, str]]) -> None:
        with self._open() as file:
            header = next(csv.reader(file, delimiter=self._delimiter))
        place = header.index(REASON) if REASON in header else len(header)
        writer = csv.writer(target, delimiter=self._delimiter)
        writer.writerow([*header[:place], REASON, *header[place + 1 :]])
        after = place + (REASON in header)
        for row, reason in rejected:
            cells = [*row.source, *[""] * (place - len(row.source))]
            writer.writerow([*cells[:place], reason, *cells[after:]])


class Lines(Table):
    def _rows(self, file: TextIO) -> Iterator[Row]:
        records = (line for line in file if line.strip())
        for number, line in enumerate(records, 1):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(number, line, {}, f"Must be a line of JSON: {error}")
                continue
            if isinstance(found, dict):
                yield Row(number, found, self._customer(found))
            else:
                yield Row(number, line, {}, "Must be a JSON object.")

    def _customer(self, found: Mapping[str, Any]) -> dict[str, Any]:
        customer: dict[str, Any] = {}
        for name, value in found.items():
            _put(customer, _to_place(self._field(name)), value)
        return customer

    def write_rejected(self, target: TextIO, rejected: Iterable[tuple[Row, str]]) -> None:
        for row, reason in rejected:
            is_object = isinstance(row.source, dict)
            source = row.source if is_object else {"line": row.source.rstrip("\r\n")}
            json.dump({**source, REASON: reason}, target)
            target.write("\n")


def to_csv(customer: Mapping[str, Any] | None) -> str:
    """Return the customer as a line of CSV, or the header for None."""
    line = io.StringIO()
    cells = EXPORTED if customer is None else [_to_cell(customer[name]) for name in EXPORTED]
    csv.writer(line).writerow(cells)
    return line.getvalue()


def to_line(customer: Mapping[str, Any] | None) -> str:
    """Return the customer as a line of JSON. There is no header."""
    return "" if customer is None else json.dumps(customer, ensure_ascii=False) + "\n"


def open_state(path: Path) -> sqlite3.Connection:
    """Open the file that has the state of a transfer. Raises TransferError if it is in use."""
    database = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")  # consistent after a crash, and fast
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE IF NOT EXISTS lock (one)")
        database.execute("DELETE FROM lock")  # SQLite locks the file with the first write
    except sqlite3.Error as error:
        database.close()
        hint = "Wait until the other transfer has ended, or delete the file to begin again."
        raise TransferError(f"{path}: {error}. {hint}") from error
    return database


def _to_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    is_formula = text[:1] in _DANGEROUS and _FORMULA.match(text) and not _PHONE.fullmatch(text)
    return f"'{text}" if is_formula else text


def _to_row(number: int, cells: Sequence[str], places: Sequence[Place]) -> Row:
    if len(cells) != len(places):
        reason = f"Has {len(cells)} cells, but the header has {len(places)}."
        return Row(number, cells, {}, reason)
    customer: dict[str, Any] = {}
    for place, cell in zip(places, cells, strict=True):
        if not cell or not place:
            continue
        try:
            _put(customer, place, _from_cell(place, cell))
        except (ValueError, RecursionError) as error:
            return Row(number, cells, {}, f"{place[0]}: Must be JSON: {error}")
    return Row(number, cells, customer)


def _from_cell(place: Place, cell: str) -> Any:
    if len(place) == 1 and place[0] in JSON_COLUMNS:
        return json.loads(cell)
    return cell[1:] if cell[0] == "'" and _ESCAPED.match(cell) else cell


def _to_place(field: str) -> Place:
    """Return where a field is: `metadata.plan` and `addresses.0.city` are parts of fields."""
    if field in IGNORED:
        return ()
    name, *parts = field.split(".", 2 if field.startswith("addresses.") else 1)
    return (name, *parts)


def _put(customer: dict[str, Any], place: Place, value: object) -> None:
    match place:
        case (name,):
            customer[name] = value
        case (name, key):
            customer.setdefault(name, {})[key] = value
        case (name, index, key):
            addresses = customer.setdefault(name, [])
            addresses.extend({} for _ in range(int(index) + 1 - len(addresses)))
            addresses[int(index)][key] = value


def _is_known(field: str) -> bool:
    is_part = re.fullmatch(r"metadata\..+|addresses\.[0-4]\.[a-z0-9_]+", field)
    return field in IGNORED or field in WRITABLE or bool(is_part)


def _explain(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "the text has another encoding. Name it, such as --encoding cp1252."
    return f"{error}."


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
