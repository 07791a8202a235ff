"""Times with an offset (RFC 3339), as clients send them in query strings."""

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    # the offset's + is decoded to a space
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(?:\.(\d{1,6})(\d*))?"
    r"(?:[Zz]|([ +-])([01]\d|2[0-3]):?([0-5]\d))",
    re.ASCII,
)


def parse(text: str) -> datetime:
    """Return the time in UTC. Raises ValueError.

    The time may have any precision. A leap second is the next second. The colon in the offset is
    optional. Digits after microseconds are dropped. If any of them is not zero, the last
    microsecond is set to an odd number, so that comparisons with whole milliseconds still have the
    right result.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError("not a time with its offset")
    date, minute, second, fraction, rest, sign, hours, minutes = match.groups(default="")
    is_leap = second == "60"
    zone = f"{sign.replace(' ', '+')}{hours}:{minutes}" if sign else "+00:00"
    text = f"{date}T{minute}{'59' if is_leap else second}.{fraction:0<6}{zone}"
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
        if is_leap:
            moment = _next_second(moment)
    except OverflowError:
        raise ValueError("not in the years 1 to 9999") from None
    return moment.replace(microsecond=moment.microsecond | bool(rest.strip("0")))


def _next_second(moment: datetime) -> datetime:
    """Return the second after a leap second. Raises ValueError if there can be none then.

    A leap second is the last second of a month in UTC.
    """
    following = moment + timedelta(seconds=1)
    if (following.day, following.hour, following.minute) != (1, 0, 0):
        raise ValueError("no leap second")
    return following
