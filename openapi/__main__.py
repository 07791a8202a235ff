"""Validate the OpenAPI document and write it, and the other generated files: `make openapi`.

Prints one line for each mistake, and then writes nothing.
"""

import sys

from chalicelib.http.routing import DeclarationError


def main() -> int:
    """Return the exit code."""
    try:
        from openapi import build  # which imports the app, and with it every declaration

        build.write(build.texts())
    except (DeclarationError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
