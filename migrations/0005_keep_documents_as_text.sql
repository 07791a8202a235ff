-- MySQL's JSON has an order of its own for the members of an object: as text, a customer is read
-- byte by byte as it was written, which its ETag promises.
ALTER TABLE customers
    MODIFY addresses MEDIUMTEXT NOT NULL,
    MODIFY metadata MEDIUMTEXT NOT NULL
