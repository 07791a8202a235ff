-- The id is a UUIDv7: its first 48 bits are the time of creation, in milliseconds.
-- email_live and external_id_live are what must be unique among customers that are not deleted.
CREATE TABLE customers (
    id               BINARY(16)   NOT NULL,
    version          INT UNSIGNED NOT NULL,
    status           VARCHAR(8)   NOT NULL,
    email            VARCHAR(254) NULL,
    phone            VARCHAR(16)  NULL,
    given_name       VARCHAR(300) NULL,
    family_name      VARCHAR(300) NULL,
    company_name     VARCHAR(500) NULL,
    external_id      VARCHAR(100) NULL,
    addresses        JSON         NOT NULL,
    locale           VARCHAR(35)  NULL,
    time_zone        VARCHAR(64)  NULL,
    metadata         JSON         NOT NULL,
    updated_at       DATETIME(3)  NOT NULL,
    deleted_at       DATETIME(3)  NULL,
    email_live       VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
                     GENERATED ALWAYS AS (IF(deleted_at IS NULL, LOWER(email), NULL)) STORED,
    external_id_live VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
                     GENERATED ALWAYS AS (IF(deleted_at IS NULL, external_id, NULL)) STORED,
    PRIMARY KEY (id),
    UNIQUE KEY uq_customers_email_live (email_live),
    UNIQUE KEY uq_customers_external_id_live (external_id_live)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci
