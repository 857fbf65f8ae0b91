-- Sign-ins to the dashboard that were ended before their time: whoever has a copy of such a cookie is refused.
CREATE TABLE signouts (
    -- Random, told by the cookie, and no key to anything by itself.
    nonce text PRIMARY KEY,
    -- When the last cookie of this sign-in ends by itself; the row says nothing new after that.
    until timestamptz NOT NULL
);
