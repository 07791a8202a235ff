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
- `isNull` is null regardless of its value and typeHint. A typeHint is rejected for everything
  except strings. TIME and TIMESTAMP may have six fractional digits.
- Parameters without a placeholder are ignored. If two have the same name, the last one counts.
- SQL is parsed in MySQL's default mode: a backslash escapes, even after a SET of
  NO_BACKSLASH_ESCAPES. A colon in an executable comment, `/*! */`, is not a placeholder.
- A session that SET, USE, LOCK or DDL may have changed is not reused by another call. Within
  its transaction, SET NAMES is undone, because parameters are written in utf8mb4.
- `||` is OR, as in MySQL's default mode. A body with several statements is not supported, so
  a procedure or trigger with BEGIN and END is rejected as several statements.
- Without a key, a request with an Origin (from a browser) is a ForbiddenException.
- A missing or wrong signature is 403. Only headers may contain it, not the query string.
  It must be for the region of a known cluster; if every cluster is accepted, for any region.
  An unknown cluster is HttpEndpointNotEnabledException, an unknown secret SecretsErrorException.

These differences between MariaDB and Aurora MySQL are corrected: fractional seconds are rounded,
an UPDATE counts the matched rows, the SQL modes are those of MySQL 8.0, and error 1062 names the
key as `table.key` (not for an UPDATE of several tables, nor CREATE INDEX; and if a trigger fails,
the table is the statement's). These differences remain:

- Comparisons of text ignore trailing spaces, and use MariaDB's collation. Aurora's default,
  utf8mb4_0900_ai_ci, respects trailing spaces, and has other rules for accents.
- FLOAT has the six digits that the text protocol provides; 16777217 becomes 16777200.
- JSON is a LONGTEXT with a binary collation, so every such column is reported as JSON. Its
  keys and spaces stay as written, and it is compared as a string.
- Error messages are MariaDB's, and so are some codes: CHECK is 4025 (MySQL: 3819), NOWAIT 1205
  (MySQL: 3572).
- The type of an expression may differ: a division, CAST or UNION may have another precision.
  A column of a derived or temporary table may have another tableName, and no isAutoIncrement.
- With GROUP BY, MariaDB requires each selected column in it or in an aggregate function, including
  columns that depend on a key in it.
- MariaDB accepts SQL that MySQL 8 rejects (RETURNING, CREATE OR REPLACE TABLE), and vice versa
  (row aliases, LATERAL, `->`). `X'41' + 0` is 0; in MySQL it is 65.
"""
