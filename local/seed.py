"""Load generated customers, many in each statement. The same numbers yield the same customers."""

import signal

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.problems import EmailTaken, ExternalIdTaken
from chalicelib.http import creates

if __name__ == "__main__":  # else Ctrl-C during the imports prints a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import itertools
import os
import random
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from faker import Faker
from tqdm import tqdm

from chalicelib.database import Database, DatabaseError, connect
from chalicelib.settings import Settings, SettingsError

BATCH = 100  # customers per statement
FULL = {1021, 1114}  # ER_DISK_FULL, ER_RECORD_FILE_FULL

WORDS = 500  # of each kind, in each locale
KINDS = (
    *("first_name", "last_name", "company", "user_name"),
    *("street_address", "city", "postcode"),
)
DOMAINS = ("example.com", "example.net", "example.org")

# locale, country calling code, digits of a phone number, time zones
PLACES = (
    ("en_GB", "44", 10, ("Europe/London",)),
    ("en_US", "1", 10, ("America/New_York", "America/Chicago", "America/Los_Angeles")),
    ("de_DE", "49", 10, ("Europe/Berlin",)),
    ("fr_FR", "33", 9, ("Europe/Paris",)),
    ("es_MX", "52", 10, ("America/Mexico_City", "America/Tijuana")),
    ("pt_BR", "55", 10, ("America/Sao_Paulo", "America/Manaus")),
    ("ja_JP", "81", 10, ("Asia/Tokyo",)),
    ("hi_IN", "91", 10, ("Asia/Kolkata",)),
)


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        database = connect(Settings.from_environ(os.environ))
        exists = count(database)
        if exists and arguments.if_empty:
            return 0
        load(database, arguments.count, first=exists + 1)
        print(f"loaded {arguments.count} customers; the database contains {count(database)}")
    except (DatabaseError, SettingsError) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: loaded customers stay; run it again for more", file=sys.stderr)
        return 130
    return 0


def explain(error: Exception) -> str:
    if isinstance(error, DatabaseError) and error.code in FULL:
        return "the database's disk is full: free some space and run it again; no data is lost"
    return str(error)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.seed", description=__doc__)
    parser.add_argument(
        "--count", type=positive, default=10_000, help="number of customers (%(default)s)"
    )
    parser.add_argument("--if-empty", action="store_true", help="only if the database is empty")
    return parser.parse_args()


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a positive integer")
    return int(text)


def count(database: Database) -> int:
    row = database.fetch_one("SELECT COUNT(*) AS there FROM customers") or {}
    return int(str(row["there"]))


def load(database: Database, how_many: int, first: int = 1) -> None:
    """Store `how_many` customers, numbered from `first`. Skips numbers that already exist."""
    generated = (generate(number) for number in itertools.count(first))
    with tqdm(total=how_many, unit=" customers", disable=None) as bar:
        for stored in range(0, how_many, BATCH):
            size = min(BATCH, how_many - stored)
            store(database, list(itertools.islice(generated, size)), generated)
            bar.update(size)


def store(
    database: Database, batch: list[dict[str, Any]], replacements: Iterator[dict[str, Any]]
) -> None:
    """Store as many customers as the batch has.

    Replaces existing ones by customers with new numbers.
    """
    try:
        creates.create_all(database, CUSTOMERS, batch)
    except (EmailTaken, ExternalIdTaken):
        store_each(database, itertools.chain(batch, replacements), len(batch))


def store_each(database: Database, generated: Iterator[dict[str, Any]], size: int) -> None:
    while size:
        try:
            creates.create(database, CUSTOMERS, next(generated))
            size -= 1
        except (EmailTaken, ExternalIdTaken):
            continue


def generate(number: int) -> dict[str, Any]:
    """Return the fictitious customer with this number: always the same one.

    Equals the result of `schemas.load_customer`, which would take longer than everything else.
    """
    rng = random.Random(number)  # noqa: S311
    locale, code, digits, time_zones = rng.choice(PLACES)
    words = vocabulary(locale)
    given_name, family_name = rng.choice(words["first_name"]), rng.choice(words["last_name"])
    optional = (
        # no trunk prefix begins with these digits
        (f"+{code}{rng.randrange(2 * 10 ** (digits - 1), 9 * 10 ** (digits - 1))}", 0.7),
        (rng.choice(words["company"]), 0.3),
        (f"crm-{number:08}", 0.5),
    )
    phone, company_name, external_id = (
        value if rng.random() < share else None for value, share in optional
    )
    return {
        "status": rng.choices(("active", "inactive"), (9, 1))[0],
        "email": f"{rng.choice(words['user_name'])}.{number}@{rng.choice(DOMAINS)}",
        "phone": phone,
        "given_name": given_name,
        "family_name": family_name,
        "company_name": company_name,
        "external_id": external_id,
        "addresses": [address(rng, words, locale[-2:])],
        "locale": locale.replace("_", "-"),
        "time_zone": rng.choice(time_zones),
        "metadata": {"plan": rng.choice(("free", "team", "business"))},
    }


def address(
    rng: random.Random, words: Mapping[str, list[str]], country: str
) -> dict[str, str | None]:
    return {
        "type": "billing",
        "line1": rng.choice(words["street_address"]),
        "line2": None,
        "city": rng.choice(words["city"]),
        "region": None,
        "postal_code": rng.choice(words["postcode"]),
        "country": country,
    }


@cache
def vocabulary(locale: str) -> Mapping[str, list[str]]:
    """Return words of each kind: using Faker for each customer would take 15 times as long."""
    fake = Faker(locale)
    fake.seed_instance(locale)
    return {kind: [line(getattr(fake, kind)()) for _ in range(WORDS)] for kind in KINDS}


def line(text: str) -> str:
    """Return the text as the API would store it."""
    return unicodedata.normalize("NFC", text.replace("\n", ", ")).strip()


if __name__ == "__main__":
    sys.exit(main())
