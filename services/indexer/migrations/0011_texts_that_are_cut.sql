-- Serves who asks how much mail a search does not see to its end: few messages are so long.
CREATE INDEX document_text_cut ON document_text (tenant_id, account_id) WHERE text_is_cut;
