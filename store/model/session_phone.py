"""Defines the SQL for the phone that a session reported last."""

from typing import LiteralString

LATEST_PHONE: LiteralString = "CASE WHEN w.phone_at > coalesce(s.phone_at, 0) THEN w.phone ELSE s.phone END"
"""The phone that an event or a check of the gateway reported last. Requires the aliases `s`, a row of sessions, and
`w`, its row of session_checks or nulls.
"""
