-- Whether a message that may have been sent is sent once more where no trace of it is found: what its
-- sender wanted when it was handed over.
ALTER TABLE submission ADD COLUMN retries_in_doubt boolean NOT NULL DEFAULT false;
