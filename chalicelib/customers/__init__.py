"""Customers: fields, schemas, lists and erasure, with their SQL.

What all resources have in common is in `chalicelib.http`: reads, creates, updates, deletion.
"""
