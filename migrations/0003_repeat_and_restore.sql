-- A repeated create finds the first one by the caller's key (hashed); a deleted customer is
-- erased when it is past purge_at.
ALTER TABLE customers
    ADD COLUMN purge_at                DATETIME(3) NULL AFTER deleted_at,
    ADD COLUMN idempotency_key         BINARY(32)  NULL,
    ADD COLUMN idempotency_fingerprint BINARY(32)  NULL,
    ADD UNIQUE KEY uq_customers_idempotency_key (idempotency_key),
    ADD KEY ix_customers_purge_at (purge_at)
