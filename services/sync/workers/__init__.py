"""The loops of sync: claim what is due, call an action, wait for an event or the next look."""
