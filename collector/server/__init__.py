"""The Jupyter Server extension: runs as JSON, a page, and their activity as a stream.

The only room that imports Jupyter Server. It runs in the server's process, which no cell can
block, and reads what runs left in the database. Under `{base_url}collector/`:

    GET runs                     how the newest runs stand, as JSON; ?limit=N
    GET runs/{run_id}            how one run stands
    GET runs/{run_id}/           a page that shows it live
    GET runs/{run_id}/activity   its activity as server-sent events; ?after=ID, Last-Event-ID

Each takes `?source=sandbox` or `?source=oxylabs`, and Jupyter's own token or cookie.
"""
