-- How far the relay of events has come, in one row for each kind of resource: chalicelib/events/relay.py.
CREATE TABLE relay_positions (
    name       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    revision   INT UNSIGNED NOT NULL,
    sent_until DATETIME(3)  NOT NULL,
    pass_until DATETIME(3)  NOT NULL,
    page_time  DATETIME(3)  NULL,
    page_id    BINARY(16)   NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci
