"""Import customers from files, and export them, with the command `customers`."""


class TransferError(Exception):
    """A file can't be used. The message says which one, why, and what to do."""
