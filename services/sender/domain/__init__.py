"""What sender knows about mail without asking anybody: composing, fates, states."""
