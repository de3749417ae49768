-- Whoever leaves a tenant, and whatever is deleted with it, leaves no searches behind.
ALTER TABLE saved_search ADD FOREIGN KEY (tenant_id, person_id)
    REFERENCES membership (tenant_id, person_id) ON DELETE CASCADE;
ALTER TABLE recent_search ADD FOREIGN KEY (tenant_id, person_id)
    REFERENCES membership (tenant_id, person_id) ON DELETE CASCADE;
CREATE POLICY own_work ON saved_search TO api USING (true) WITH CHECK (true);
CREATE POLICY own_work ON recent_search TO api USING (true) WITH CHECK (true);
