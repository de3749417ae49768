"""All SQL of the memory. Whoever writes rows of an account holds that account first."""
