"""The RDS Data API on a laptop: AWS's wire protocol in front of any MySQL or MariaDB server.

A request goes down once and comes back once:

    HTTP -> server (route) -> access -> requests (checked members)
         -> service (thread, time, connection) -> statements (parameters) -> PyMySQL -> the database
         <- server         <- service <- results (values, metadata)       <-

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/Welcome.html

Where AWS does not say what it does, this server does what is most likely:

- The default database is the one in the server's URL; a transaction keeps to its own, and to its
  cluster.
- A call that is malformed is a BadRequestException, also one of more than 4 MiB.
- The response limit counts the bytes that the database sends, not the JSON made of them; a
  larger response is an UnsupportedResultException, and aborts its transaction. So is a row of
  more than 64 KB, but only with `--limit-rows`: AWS documents this limit, and clients have been
  seen to read larger rows.
- A batch outside a transaction is all or nothing; within one, the sets before a failing one stay
  done. A batch without parameter sets does nothing.
- A deadlock, a timeout, a lost connection and a result that cannot be returned abort a
  transaction; other errors leave it open.
- After an implicit commit (DDL) the statements of a transaction commit one by one.
- An INSERT of several rows reports the first generated id; so does a row that gave its own.
- BIT(1) and signed TINYINT(1) are booleanValue, a wider BIT is a blobValue; a BIGINT UNSIGNED
  over 2**63 - 1 is a stringValue. YEAR is a stringValue.
- `longReturnType` is about every integer type. With DOUBLE_OR_LONG a DECIMAL of more than 64 bits
  is a doubleValue.
- `formatRecordsAs: JSON` is for whatever has a result set. Its 10 MB are 10 MiB; two columns of
  one label are a BadRequestException. Numbers are written as Python writes them (1e+16).
- `isNull` is null whatever its own value and typeHint. A typeHint on another kind than a string
  is refused. TIME and TIMESTAMP may have six digits of a second's fraction.
- A parameter that no placeholder names is ignored; of two with one name the last counts.
- SQL is read as MySQL's default mode writes it: a backslash escapes, also after a SET of
  NO_BACKSLASH_ESCAPES. A colon in an executable comment, `/*! */`, names nothing.
- A session that SET, USE, LOCK or DDL may have changed is not used again by another call. Within
  its transaction, SET NAMES is undone: parameters are written as utf8mb4.
- `||` is OR, as in MySQL's default mode. A statement has no body of several, so that a procedure
  or trigger with BEGIN and END is refused as several statements.
- Without a key, a request with an Origin, as browsers send it, is a ForbiddenException.
- A signature that is missing or wrong is 403; it may be in the headers only, not in the query.
  It is for the region of a known cluster; where any cluster will do, for any region.
  An unknown cluster is HttpEndpointNotEnabledException, an unknown secret SecretsErrorException.

What MariaDB does otherwise than Aurora MySQL is made equal: fractional seconds are rounded, an
UPDATE counts the rows that it finds, the modes of a session are MySQL 8.0's, and error 1062
names its key as `table.key` (not for an UPDATE of several tables, nor CREATE INDEX; and where a
trigger fails, the table is the statement's). These differences stay:

- Texts are compared with trailing spaces left out, and by MariaDB's collation; Aurora's default,
  utf8mb4_0900_ai_ci, minds them, and has other rules for accents.
- FLOAT has the six digits that the text protocol gives it; 16777217 becomes 16777200.
- JSON is a LONGTEXT with a binary collation, so that any such column is reported as JSON; its
  keys and spaces are kept as they were written, and it is compared as a string.
- Error texts are MariaDB's, and some of its codes: CHECK is 4025 (MySQL: 3819), NOWAIT 1205
  (MySQL: 3572).
- The type of an expression may differ: a division, CAST or UNION may have another precision.
  A column that comes through a derived or temporary table may have another tableName, and no
  isAutoIncrement.
- With GROUP BY, MariaDB wants each selected column in it or in an aggregate function, also those
  that depend on a key which is in it.
- MariaDB takes SQL that MySQL 8 refuses (RETURNING, CREATE OR REPLACE TABLE), and the reverse
  (row aliases, LATERAL, `->`); `X'41' + 0` is 0, in MySQL 65.
"""
