-- From now on the service makes them.
UPDATE customers SET email_key = LOWER(email) WHERE email_key IS NULL
