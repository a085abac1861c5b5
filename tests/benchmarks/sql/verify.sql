-- What must be nothing after filling: rooms whose numbers do not agree with their messages, and unread counts of users 1
-- to 4 that differ from a recount. Each row is a disagreement.
SELECT 'room' AS what, r.name::text AS name, r.last_position AS kept, count(m.id) AS counted
  FROM rooms r LEFT JOIN messages m ON m.room_id = r.id
 GROUP BY r.id
HAVING r.last_position <> count(m.id) OR r.last_position <> coalesce(max(m.position), 0) OR r.revision <> r.last_position
    OR r.last_countable <> count(m.id) FILTER (WHERE m.message_type <> 'system')
    OR r.last_message_id IS DISTINCT FROM (array_agg(m.id ORDER BY m.position DESC))[1]
UNION ALL
SELECT 'seat', u.username::text, k.unread, c.unread
  FROM users u
  CROSS JOIN LATERAL chat_unread(u.tenant_id, u.id) k
  LEFT JOIN LATERAL chat_unread_recount(u.tenant_id, u.id) c ON c.room_id = k.room_id
 WHERE u.username IN ('user1', 'user2', 'user3', 'user4') AND k.unread IS DISTINCT FROM c.unread
