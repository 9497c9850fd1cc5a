"""The pace of requests: one for all runs and processes of a database, as they share one account.

A reservation takes the next slot. Slots lie apart by what the plan allows and by what caution
asks; a 429 holds them all. PostgreSQL's clock alone counts, so that processes need not agree.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

# Less than the plan allows: requests that leave a quarter of a second late do not exceed it either,
# and a 429 would hold everybody for longer than the fifth is worth.
SHARE_OF_PLAN = 0.8
# Before an answer has named the plan: the smallest one allows ten jobs a second (Oxylabs
# documentation, "Rate limits"). A first run begins with five workers at once, though.
UNKNOWN_INTERVAL_S = 0.2
UNKNOWN_BURST_S = 0.8
# Who would have to wait longer for their slot asks again instead of holding a reserved request.
LONGEST_SLOT_S = 1.0
# No slot and no hold is honestly further away: a clock was set back meanwhile.
LONGEST_HOLD_S = 300

INTERVAL = f"""make_interval(secs => greatest(
    :interval_s,
    CASE WHEN per_second IS NULL THEN {UNKNOWN_INTERVAL_S}
         WHEN per_second = 0 THEN 0
         ELSE 1 / ({SHARE_OF_PLAN} * per_second) END
))"""

NEXT_SLOT = f"""greatest(
    CASE WHEN next_slot_at < clock_timestamp() + interval '{LONGEST_HOLD_S} s'
         THEN next_slot_at END,
    clock_timestamp()
        - make_interval(secs => CASE WHEN per_second IS NULL THEN {UNKNOWN_BURST_S} ELSE 0 END)
)"""

# Seconds until a request may be reserved; nothing where that is now.
HELD_S = f"""SELECT extract(epoch FROM free_at - clock_timestamp())::double precision FROM (
    SELECT greatest(hold_until, next_slot_at - interval '{LONGEST_SLOT_S} s') AS free_at
    FROM request_pace
) pace
WHERE free_at > clock_timestamp()
  AND free_at <= clock_timestamp() + interval '{LONGEST_HOLD_S} s'"""  # noqa: S608 - constants


def learn(conn: Connection, per_second: int) -> None:
    """Keep how many jobs a second the plan allows, as answers name it; 0: they name none."""
    conn.execute(
        text(
            "UPDATE request_pace SET per_second = :per_second "
            "WHERE per_second IS DISTINCT FROM :per_second"
        ),
        {"per_second": per_second},
    )


def hold(conn: Connection, delay_s: float) -> None:
    """Let no request be reserved for so many seconds.

    Late in its transaction: all processes share the row.
    """
    conn.execute(
        text(
            "UPDATE request_pace SET hold_until = "
            "greatest(hold_until, clock_timestamp() + make_interval(secs => :delay_s))"
        ),
        {"delay_s": min(delay_s, LONGEST_HOLD_S)},
    )


def let_go(conn: Connection) -> None:
    """End a hold: somebody wants to try."""
    conn.execute(text("UPDATE request_pace SET hold_until = NULL WHERE hold_until IS NOT NULL"))
