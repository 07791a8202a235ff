"""The RDS Data API on a laptop: AWS's wire protocol in front of any MySQL or MariaDB server.

A request goes down once and comes back once:

    HTTP -> server (route) -> requests (checked members) -> service (thread, time, connection)
         <- server         <- statements (values, metadata)   <- PyMySQL <- the database

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/Welcome.html

Where AWS does not say what it does, this server does what is most likely:

- The default database is the one in the server's URL; a transaction keeps to its own.
- A call that is malformed is a BadRequestException, also one of more than 4 MiB.
- The response limit counts the bytes that the database sends, not the JSON made of them; a
  larger response is an UnsupportedResultException, and aborts its transaction.
- A batch outside a transaction is all or nothing. A batch without parameter sets does nothing.
- A deadlock, a timeout, a lost connection and a result that cannot be returned abort a
  transaction; other errors leave it open.
- After an implicit commit (DDL) the statements of a transaction commit one by one.
- An INSERT of several rows reports the first generated id; so does a row that gave its own.
- BIT(1) and signed TINYINT(1) are booleanValue, a wider BIT is a blobValue; a BIGINT UNSIGNED
  over 2**63 - 1 is a stringValue. YEAR is a stringValue.
- FLOAT has the six digits that MySQL's text protocol gives it. MariaDB keeps JSON as LONGTEXT
  with a binary collation, so that any such column is reported as JSON.
- `isNull` is null whatever its own value and typeHint. A typeHint on another kind than a string
  is refused. TIME and TIMESTAMP may have six digits of a second's fraction.
- A parameter that no placeholder names is ignored; of two with one name the last counts.
- A session that SET, USE, LOCK or DDL may have changed is not used again by another call.
- 5xx errors carry a message, although the model has none there: whoever runs this reads it.
"""
