"""The same eight operations in other frameworks, each written as its documentation recommends.

All of them read and write the same columns, and accept the same six fields of a customer: an email
address (required), up to three names (one required), a phone number and a status.

A replacement and a patch of one customer take as many statements as ours, and check the version. A
batch is one call of BatchExecuteStatement; a bulk patch first reads its customers with one query.
So both take as many calls as ours, but they are not atomic.
"""
