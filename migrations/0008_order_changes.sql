-- The feed of changes is in the order of changed_at. The database sets it for every write, also of the
-- previous code: the clocks of functions differ, so updated_at may be earlier than what was read before.
-- Customers that exist already have the time of this migration, and the feed has them in the order of ids.
ALTER TABLE customers
    ADD COLUMN changed_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
    ADD KEY ix_customers_changed (changed_at, id)
