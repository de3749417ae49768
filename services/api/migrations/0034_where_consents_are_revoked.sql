-- Where a provider ends a consent when it is asked to (RFC 7009); NULL: nowhere.

ALTER TABLE oauth_provider ADD COLUMN revocation_endpoint text;
