"""`python -m migrations`: apply the pending migrations to the configured database."""

import signal

if __name__ == "__main__":  # else Ctrl-C during the imports prints a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys

import migrations
from chalicelib.database import DatabaseError, connect
from chalicelib.settings import Settings, SettingsError


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    argparse.ArgumentParser(prog="python -m migrations", description=__doc__).parse_args()
    try:
        settings = Settings.from_environ(os.environ)
        files = migrations.read()
        migrations.apply(connect(settings), connect(settings), files, print)
    except (migrations.MigrationError, DatabaseError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the next `make migrate` resumes here", file=sys.stderr)
        return 130
    print(f"the schema is up to date at {files[-1].name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
