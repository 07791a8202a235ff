"""`python -m migrations`: bring the schema of the configured database up to date."""

import argparse
import os
import sys

import migrations
from chalicelib.database import DatabaseError, connect
from chalicelib.settings import Settings, SettingsError


def main() -> int:
    argparse.ArgumentParser(prog="python -m migrations", description=__doc__).parse_args()
    try:
        settings = Settings.from_environ(os.environ)
        files = migrations.read()
        migrations.apply(connect(settings), connect(settings), files, print)
    except (migrations.MigrationError, DatabaseError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"the schema is up to date at {files[-1].name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
