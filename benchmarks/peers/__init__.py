"""The same three operations in other frameworks, each written as its documentation recommends.

All of them read and write the same columns, and accept the same six fields of a customer: an email
address (required), up to three names (one required), a phone number and a status.
"""
