"""The SQL behind the history of edits: what people did to the list, and each entry's changes.

Read through the frames; an entry is chosen by the session setting `collector.audit_id`.
"""

from __future__ import annotations

# Entries are numbered without a gap, so the one before says what the list counted before.
EDITS = """
SELECT l.id AS audit_id, l.created_at, l.action, l.seller_name, l.source, l.actor,
       l.affected_count, l.seller_count_snapshot,
       l.seller_count_snapshot - coalesce(b.seller_count_snapshot, 0) AS change, l.undoes_id
FROM seller_audit_log l LEFT JOIN seller_audit_log b ON b.id = l.id - 1
WHERE l.source IN ('manual', 'import')
ORDER BY l.id DESC
"""

CHANGES = """
SELECT c.seller_id, c.change, c.old_name, c.new_name, c.old_note, c.new_note
FROM seller_audit_changes c
WHERE c.audit_id = current_setting('collector.audit_id')::bigint
ORDER BY c.change, c.seller_id
"""
