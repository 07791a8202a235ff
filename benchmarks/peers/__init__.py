"""The same three operations as others would write them, each as its own documentation has it.

All of them read and write the same columns, and take the same six members of a customer: an email
address (required), up to three names (one required), a phone number and a status.
"""
