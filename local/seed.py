"""Load generated customers, the same ones each time, through the API's own operations."""

import argparse
import itertools
import os
import random
import sys
from collections.abc import Iterator
from typing import Any

from faker import Faker
from tqdm import tqdm

from chalicelib import customers, schemas
from chalicelib.database import Database, DatabaseError, connect
from chalicelib.problems import EmailTaken, ExternalIdTaken
from chalicelib.settings import Settings, SettingsError

BATCH = 500  # customers that are stored, or lost by an interruption, together

# a locale, its country's calling code, and its time zones
PLACES = (
    ("en_GB", "44", ("Europe/London",)),
    ("en_US", "1", ("America/New_York", "America/Chicago", "America/Los_Angeles")),
    ("de_DE", "49", ("Europe/Berlin",)),
    ("fr_FR", "33", ("Europe/Paris",)),
    ("es_MX", "52", ("America/Mexico_City", "America/Tijuana")),
    ("pt_BR", "55", ("America/Sao_Paulo", "America/Manaus")),
    ("ja_JP", "81", ("Asia/Tokyo",)),
    ("hi_IN", "91", ("Asia/Kolkata",)),
)


def main() -> int:
    arguments = parse_arguments()
    try:
        database = connect(Settings.from_environ(os.environ))
        there = count(database)
        if there and arguments.if_empty:
            return 0
        load(database, arguments.count, first=there + 1)
        print(f"{arguments.count} customers loaded; {count(database)} are there")
    except (DatabaseError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what the bar shows is stored", file=sys.stderr)
        return 130
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.seed", description=__doc__)
    parser.add_argument("--count", type=positive, default=10_000, help="how many (%(default)s)")
    parser.add_argument("--if-empty", action="store_true", help="only into an empty database")
    return parser.parse_args()


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def count(database: Database) -> int:
    row = database.fetch_one("SELECT COUNT(*) AS there FROM customers") or {}
    return int(str(row["there"]))


def load(database: Database, how_many: int, first: int = 1) -> None:
    """Store `how_many` customers, numbered from `first`. Numbers that are taken are passed over."""
    generated = (generate(number) for number in itertools.count(first))
    with tqdm(total=how_many, unit=" customers", disable=None) as bar:
        for done in range(0, how_many, BATCH):
            size = min(BATCH, how_many - done)
            with database.transaction() as transaction:
                store(transaction, generated, size)
            bar.update(size)


def store(database: Database, generated: Iterator[dict[str, Any]], size: int) -> None:
    while size:
        try:
            customers.create(database, schemas.load_customer(next(generated)))
            size -= 1
        except (EmailTaken, ExternalIdTaken):
            continue


def generate(number: int) -> dict[str, Any]:
    """Return the customer of this number, made up but plausible: always the same one."""
    chance = random.Random(number)  # noqa: S311
    locale, code, time_zones = chance.choice(PLACES)
    fake = _FAKE[locale]
    fake.seed_instance(number)
    customer = {
        "email": f"{fake.user_name()}.{number}@{fake.safe_domain_name()}",
        "given_name": fake.first_name(),
        "family_name": fake.last_name(),
        "locale": locale.replace("_", "-"),
        "time_zone": chance.choice(time_zones),
        "status": chance.choices(("active", "inactive"), (9, 1))[0],
        "addresses": [address(fake, locale[-2:])],
        "metadata": {"plan": chance.choice(("free", "team", "business"))},
    }
    return customer | {
        name: value
        for name, value, share in (
            ("phone", f"+{code}{chance.randrange(10**8, 10**9)}", 0.7),
            ("company_name", fake.company(), 0.3),
            ("external_id", f"crm-{number:08}", 0.5),
        )
        if chance.random() < share
    }


def address(fake: Faker, country: str) -> dict[str, str]:
    return {
        "type": "billing",
        "line1": fake.street_address().replace("\n", ", "),
        "city": fake.city(),
        "postal_code": fake.postcode(),
        "country": country,
    }


_FAKE = {locale: Faker(locale) for locale, *_ in PLACES}


if __name__ == "__main__":
    sys.exit(main())
