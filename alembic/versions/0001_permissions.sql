-- Made by alembic/write_initial.py from the tables; frozen with the first release.

INSERT INTO access_permission_domains (id, permission_prefix, description) VALUES
    ('019b76da-a800-70bb-955d-4a6ab44be0e7', 'chat:room', 'room management'),
    ('019b76da-a800-72b8-9d64-8f721eed63e5', 'chat:message', 'sending and viewing'),
    ('019b76da-a800-7170-a54a-e36866e72325', 'chat:robot', 'robot interaction'),
    ('019b76da-a800-72de-832c-ef43d85609e4', 'chat:file', 'upload and sharing'),
    ('019b76da-a800-735c-9160-a2d6c27e7a41', 'chat:escalation', 'escalation management'),
    ('019b76da-a800-70b2-8144-e8ffaedf7bc7', 'supervisor:chat', 'supervisor monitoring');

INSERT INTO permissions (id, domain, function, action) VALUES
    ('019b76da-a800-7164-9c4a-1be22fe93694', 'chat', 'room', 'update'),
    ('019b76da-a800-710a-811c-9d34552cb040', 'chat', 'room', 'archive'),
    ('019b76da-a800-7252-a602-ca141579ec66', 'chat', 'room', 'close'),
    ('019b76da-a800-726a-bac6-92e568a5f302', 'chat', 'room', 'delete'),
    ('019b76da-a800-7263-bf2f-81b1b46de1d3', 'chat', 'room', 'add_member'),
    ('019b76da-a800-70be-b02e-41c0d22370c9', 'chat', 'room', 'remove_member'),
    ('019b76da-a800-7219-bfbb-de394a107843', 'chat', 'room', 'ban_member'),
    ('019b76da-a800-71c2-b789-50c452a514dc', 'chat', 'room', 'silence_member'),
    ('019b76da-a800-714a-be55-c163dd4e3447', 'chat', 'room', 'change_role'),
    ('019b76da-a800-7295-b900-6394aec558d1', 'chat', 'room', 'transfer_ownership'),
    ('019b76da-a800-71bc-8e15-ac39f9b47646', 'chat', 'room', 'grant_role'),
    ('019b76da-a800-73b1-8c76-68c1e8f9f015', 'chat', 'room', 'manage_roles'),
    ('019b76da-a800-738d-a126-8fa5f6285aab', 'chat', 'message', 'delete_any'),
    ('019b76da-a800-713d-b995-238c52de4cc0', 'chat', 'message', 'pin'),
    ('019b76da-a800-7082-90ab-8d4937b55e22', 'chat', 'message', 'mention_all'),
    ('019b76da-a800-73c1-b057-a220e4e03d31', 'chat', 'file', 'delete_any'),
    ('019b76da-a800-7129-9206-11ed58b7fc90', 'chat', 'robot', 'ask'),
    ('019b76da-a800-739f-8872-97c1c99288e2', 'chat', 'escalation', 'create'),
    ('019b76da-a800-731c-a341-f7860e8c8307', 'chat', 'escalation', 'claim'),
    ('019b76da-a800-72e3-97af-3087243ff838', 'chat', 'escalation', 'assign'),
    ('019b76da-a800-71a7-bbe9-779b2ad0f1f5', 'chat', 'escalation', 'resolve'),
    ('019b76da-a800-7308-891f-f7120163e22f', 'supervisor', 'chat', 'read'),
    ('019b76da-a800-72f2-9b14-2cabbb3eebce', 'chat', 'room', '*'),
    ('019b76da-a800-7276-bf5b-93afe567003e', 'chat', 'message', '*'),
    ('019b76da-a800-7266-9e35-d2fa846c184b', 'chat', 'file', '*'),
    ('019b76da-a800-7316-94c8-032a31d28142', 'chat', 'robot', '*'),
    ('019b76da-a800-722c-8012-7ded5e752b68', 'chat', 'escalation', '*'),
    ('019b76da-a800-736d-9068-395a3990defe', 'supervisor', 'chat', '*'),
    ('019b76da-a800-714b-973d-4d6486086b72', 'chat', '*', '*'),
    ('019b76da-a800-72b1-a6ad-d8544f334b26', 'supervisor', '*', '*');

-- What the built-in roles of every tenant hold.
CREATE FUNCTION chat_built_in_roles() RETURNS TABLE (name text, permission text)
LANGUAGE sql IMMUTABLE AS $$
    VALUES
        ('agent', 'chat:escalation:claim'),
        ('agent', 'chat:escalation:resolve'),
        ('supervisor', 'chat:escalation:claim'),
        ('supervisor', 'chat:escalation:resolve'),
        ('supervisor', 'chat:escalation:assign'),
        ('supervisor', 'supervisor:chat:read'),
        ('admin', 'chat:*:*'),
        ('admin', 'supervisor:*:*')
$$;
