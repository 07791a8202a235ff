-- What `q` finds customers by: the service computes the keys (chalicelib/customers/fields.py), and the
-- database compares them byte by byte. Until a later migration removes them, the columns and indexes
-- of the previous search remain for the code that uses them.
ALTER TABLE customers
    ADD COLUMN name_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN family_name_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN company_name_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD KEY ix_customers_name_key (state, name_key, id, status),
    ADD KEY ix_customers_family_name_key (state, family_name_key, id, status),
    ADD KEY ix_customers_company_name_key (state, company_name_key, id, status)
