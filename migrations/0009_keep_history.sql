-- A line for each of the last versions: when, by whom (a pseudonym), and which fields, never their values.
-- The statement that writes a version also writes its line. The previous code leaves the column as it is.
ALTER TABLE customers ADD COLUMN history TEXT CHARACTER SET ascii COLLATE ascii_bin NULL
