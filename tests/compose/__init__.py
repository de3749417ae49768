"""`./just test-compose`: the stack of compose.yaml, built, started, walked through, and hurt."""
