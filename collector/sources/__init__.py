"""Requests out and pages in: the Oxylabs client, Amazon's best sellers, eBay's search pages.

The client alone does I/O. Parsers are pure: text in, frozen dataclasses out, and nothing but
`UpstreamError` and its kinds raised, whatever the text.
"""
