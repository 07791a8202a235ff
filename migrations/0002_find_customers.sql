-- What finds and orders customers: docs/decisions/0007 says which key is for which request.
-- Every key starts with state, so that no list walks over customers that are not in it.
-- email_key is what email addresses are compared by; the service makes it.
ALTER TABLE customers
    ADD COLUMN erased_at DATETIME(3) NULL,
    ADD COLUMN state ENUM('live', 'deleted', 'erased')
        GENERATED ALWAYS AS
        (IF(erased_at IS NOT NULL, 'erased', IF(deleted_at IS NOT NULL, 'deleted', 'live'))) STORED,
    ADD COLUMN email_key VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN name VARCHAR(601)
        GENERATED ALWAYS AS (CONCAT_WS(' ', given_name, family_name)) STORED,
    MODIFY COLUMN external_id VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD KEY ix_customers_created (state, id),
    ADD KEY ix_customers_updated (state, updated_at, id),
    ADD KEY ix_customers_status (state, status, id),
    ADD KEY ix_customers_status_updated (state, status, updated_at, id),
    ADD KEY ix_customers_phone (state, phone, id),
    ADD KEY ix_customers_phone_updated (state, phone, updated_at, id),
    ADD KEY ix_customers_external_id (state, external_id, id),
    ADD KEY ix_customers_email (state, email_key, id, status),
    ADD KEY ix_customers_name (state, name, id, status),
    ADD KEY ix_customers_family_name (state, family_name, id, status),
    ADD KEY ix_customers_company_name (state, company_name, id, status)
