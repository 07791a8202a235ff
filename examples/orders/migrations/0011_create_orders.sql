-- The columns from updated_at on are those of every versioned table: chalicelib/database/tables.py.
-- There is no foreign key: an order remains valid when its customer is erased.
CREATE TABLE orders (
    id                      BINARY(16)   NOT NULL,
    version                 INT UNSIGNED NOT NULL,
    customer_id             BINARY(16)   NOT NULL,
    `lines`                 MEDIUMTEXT   NOT NULL,
    total                   BIGINT       NOT NULL,
    currency                VARCHAR(3)   NOT NULL,
    status                  VARCHAR(7)   NOT NULL,
    updated_at              DATETIME(3)  NOT NULL,
    deleted_at              DATETIME(3)  NULL,
    purge_at                DATETIME(3)  NULL,
    erased_at               DATETIME(3)  NULL,
    history                 TEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
    last_write              BINARY(32)   NULL,
    idempotency_key         BINARY(32)   NULL,
    idempotency_fingerprint BINARY(32)   NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_orders_idempotency_key (idempotency_key),
    KEY ix_orders_customer_id (customer_id, id),
    KEY ix_orders_status (status, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci
