"""The RDS Data API on a laptop: AWS's protocol for any MySQL or MariaDB server.

A request passes each layer once on the way in, and once on the way out:

    HTTP -> server (route) -> access -> requests (validated fields)
         -> service (thread, timeout, connection) -> statements (parameters) -> PyMySQL -> database
         <- server         <- service <- results (values, metadata)       <-

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/Welcome.html

Where AWS does not document a behavior, this server does what is most likely:

- The default database is the one in the server's URL. A transaction keeps its default database and
  its cluster.
- A malformed call, or one of more than 4 MiB, is a BadRequestException.
- The response limit counts the bytes from the database, not the generated JSON. A larger response
  is an UnsupportedResultException, and aborts its transaction. With `--limit-rows`, so is a row of
  more than 64 KB: AWS documents this limit, but clients have read larger rows.
- A batch outside of a transaction is atomic. Within one, the sets before the failing one remain
  applied. A batch without parameter sets does nothing.
- A deadlock, a timeout, a lost connection and a result that cannot be returned abort a
  transaction. Other errors leave it open.
- After an implicit commit (DDL), each statement of the transaction is committed separately.
- An INSERT of several rows reports the first generated id, also if a row sets its own id.
- BIT(1) and signed TINYINT(1) are booleanValue, a longer BIT is a blobValue. A BIGINT UNSIGNED
  above 2**63 - 1 is a stringValue. YEAR is a stringValue.
- `longReturnType` applies to all integer types. With DOUBLE_OR_LONG, a DECIMAL of more than 64 bits
  is a doubleValue.
- `formatRecordsAs: JSON` applies to every statement with a result set. Its limit of 10 MB is
  10 MiB. Two columns with the same label are a BadRequestException. Numbers are formatted as in
  Python (1e+16).
- Parameters become literals, not bind parameters.
- A value that does not match its typeHint is a DatabaseErrorException, with the text that AWS
  returns for TIMESTAMP on PostgreSQL. An array is a ValidationException.
- `isNull` is null regardless of its value and typeHint. A typeHint is rejected for everything
  except strings. TIME and TIMESTAMP may have six fractional digits.
- Parameters without a placeholder are ignored. If two have the same name, the last one counts.
- SQL is parsed in MySQL's default mode: a backslash escapes, even after a SET of
  NO_BACKSLASH_ESCAPES. A colon in an executable comment, `/*! */`, is not a placeholder.
- A session that SET, USE, LOCK or DDL may have changed is not reused by another call. Within
  its transaction, SET NAMES is undone, because parameters are written in utf8mb4.
- A call that can read the generated ids, counts and warnings of its session sees none of other
  calls, except through stored functions, views and triggers.
- `||` is OR, as in MySQL's default mode. A body with several statements is not supported, so
  a procedure or trigger with BEGIN and END is rejected as several statements.
- A request with an Origin (from a browser), with a Host of another machine, or with more than
  64 KiB before its body is rejected with a problem (RFC 9457), not with an error of AWS.
- A missing or wrong signature is 403. Only headers may contain it, not the query string.
  It must be for the region of a known cluster; if every cluster is accepted, for any region.
  An unknown cluster is HttpEndpointNotEnabledException, an unknown secret SecretsErrorException.

These differences between MariaDB and Aurora MySQL are corrected: fractional seconds are rounded,
an UPDATE counts the matched rows, the SQL modes are those of MySQL 8.0, and error 1062 names the
key as `table.key` (not for an UPDATE of several tables, nor CREATE INDEX; and if a trigger fails,
the table is the statement's). docs/data-api-server.md lists the differences that remain, of both
MariaDB and MySQL.
"""
