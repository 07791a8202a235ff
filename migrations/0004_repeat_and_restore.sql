-- A repeated create finds the first one by the caller's key (hashed), a repeated change the first
-- one by last_write; a deleted customer is erased when it is past purge_at. email_live is made of
-- email_key, so that one place says which addresses are the same.
ALTER TABLE customers
    ADD COLUMN purge_at                DATETIME(3) NULL AFTER deleted_at,
    ADD COLUMN last_write              BINARY(32)  NULL,
    ADD COLUMN idempotency_key         BINARY(32)  NULL,
    ADD COLUMN idempotency_fingerprint BINARY(32)  NULL,
    ADD UNIQUE KEY uq_customers_idempotency_key (idempotency_key),
    ADD KEY ix_customers_purge_at (purge_at),
    DROP KEY uq_customers_email_live,
    DROP COLUMN email_live,
    ADD COLUMN email_live VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        GENERATED ALWAYS AS (IF(deleted_at IS NULL, email_key, NULL)) STORED,
    ADD UNIQUE KEY uq_customers_email_live (email_live)
