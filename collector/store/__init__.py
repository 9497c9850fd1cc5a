"""All SQL. Functions take a `Connection` and leave the transaction to the caller.

Synchronous code calls them as they are; asynchronous code through `AsyncConnection.run_sync`, so
that each statement is written once.
"""
