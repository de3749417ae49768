"""Real mail servers, started privately on loopback for the tests that need one."""
