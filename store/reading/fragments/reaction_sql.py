"""Defines the SQL fragment that finds the author of a reaction."""

from typing import LiteralString

REACTOR: LiteralString = r"""(
    SELECT CASE WHEN named.is_own THEN 'outgoing' ELSE u.direction END AS direction,
        -- Left out in a chat with one person, where only that person can be the sender.
        CASE WHEN NOT named.is_own AND canonical.address ~ '@(g[.]us|newsletter|broadcast)$' THEN named.sender END
            AS sender
    FROM (
        SELECT a.sender, u.direction = 'outgoing' OR coalesce(
                a.sender = CASE m.direction WHEN 'incoming' THEN m.to_number ELSE m.from_number END
                OR EXISTS (
                    SELECT
                    FROM sessions AS s
                    LEFT JOIN session_checks AS w USING (session_id)
                    LEFT JOIN account_sessions AS j USING (session_number)
                    WHERE s.session_id = m.session_id AND a.sender = ANY(s.phones || w.phone || j.account)
                ), false
            ) AS is_own
        FROM canonical_address(m.session_id, u.sender) AS a (sender)
    ) AS named
)"""
"""The direction and the sender of a reaction. Some gateways report our own reaction as one by a member with our number.

Requires the aliases `m`, the message, `u`, the reaction's row of message_updates, and `canonical`, the chat.
"""
